"""The keys that clients show: a file of names and SHA-256 checksums, no key itself.

    printf %s "$KEY" | sha256sum

prints the checksum of a key.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from pathlib import Path

from headline.errors import ConfigError

_CHECKSUM = re.compile("[0-9a-fA-F]{64}")
SCHEME = "bearer "


@dataclass(frozen=True)
class Keys:
    """The keys of a server: checksum of each, by the name of its owner."""

    checksums: dict[str, bytes]

    @classmethod
    def read(cls, path: Path) -> "Keys":
        """Reads a file with a name and a checksum on each line; # begins a comment.

        Raises:
            ConfigError: the file cannot be read, has no key, or an invalid line.
        """
        try:
            lines = path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} cannot be read: {error}", "api_keys") from error
        found: dict[str, bytes] = {}
        for number, line in enumerate(lines, 1):
            words = line.partition("#")[0].split()
            if not words:
                continue
            if len(words) != 2 or not _CHECKSUM.fullmatch(words[1]):
                raise ConfigError(
                    f"{path}, line {number}: expected a name and the SHA-256 of a key "
                    "in 64 hex digits",
                    "api_keys",
                )
            found[words[0]] = bytes.fromhex(words[1])
        if not found:
            raise ConfigError(f"{path} has no key", "api_keys")
        return cls(found)

    def owner(self, authorization: str) -> str | None:
        """Returns who shows a valid key in a header ``Authorization: Bearer KEY``.

        It takes as long for a wrong key as for a right one.

        Args:
            authorization: the header, decoded as Latin-1, as headers are.
        """
        is_bearer = authorization[: len(SCHEME)].lower() == SCHEME
        key = authorization[len(SCHEME) :].strip() if is_bearer else ""
        shown = hashlib.sha256(key.encode("latin-1", "replace")).digest()
        owner = None
        for name, checksum in self.checksums.items():
            if hmac.compare_digest(shown, checksum):
                owner = name
        return owner
