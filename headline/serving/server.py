"""Runs the server: address, signals, start and end."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import uvicorn
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from headline.errors import ConfigError, HeadlineError
from headline.serving import page_routes
from headline.serving.api import Api, application
from headline.serving.connections import connection_class
from headline.serving.file_routes import FileRoutes
from headline.serving.guard import SEARCHES, Access, Guard, Prefixed
from headline.serving.jobs import Jobs
from headline.serving.keys import Keys
from headline.serving.pool import Tell, WorkerGone
from headline.serving.service import Service
from headline.settings.base import Values
from headline.settings.serve import ServeConfig

BACKLOG = 2048  # connections that wait until they are accepted
LINGER = 0.2  # seconds in which open connections may still send a request
LAST = 1.0  # seconds of the grace period that are kept for ending the workers


@dataclass(frozen=True)
class Plan:
    """What is served, and how.

    Attributes:
        values: search settings that differ from those of the model.
        workers: number of processes.
        keys: one of them is needed; None if anyone may ask.
        tell: gets a line for the operator.
        begun: is called with the address once connections are accepted.
    """

    model_dir: Path
    config: ServeConfig
    values: Values
    workers: int
    keys: Keys | None
    tell: Tell
    begun: Callable[[str], None]


def check_address(config: ServeConfig, keys: Keys | None) -> None:
    """Refuses to listen to other machines without keys.

    Raises:
        ConfigError: the settings would do so.
    """
    if config.auth and keys is None and not is_local(config.host):
        raise ConfigError(
            f"other machines can reach {config.host}: give --api-keys FILE, or "
            "--no-auth to let everyone use the server",
            "host",
        )


def is_local(host: str) -> bool:
    """Tells whether only this machine can reach an address."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def serve(plan: Plan) -> None:
    """Serves until a signal ends it.

    Raises:
        HeadlineError: the model cannot be read, or the address not be used.
    """
    check_address(plan.config, plan.keys)
    with _listening(plan.config) as listener:
        asyncio.run(_serve(plan, listener))


@contextmanager
def _listening(config: ServeConfig) -> Iterator[socket.socket]:
    """Yields a socket that is bound to the address.

    Raises:
        HeadlineError: it cannot be.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    # Without the name of the protocol, asyncio leaves Nagle's algorithm on, and each
    # answer waits 40 ms until the client has confirmed its head.
    protocol = socket.IPPROTO_TCP
    with socket.socket(family, socket.SOCK_STREAM, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((config.host, config.port))
        except OSError as error:
            raise HeadlineError(
                f"cannot listen on {config.host} port {config.port}: {error.strerror};"
                " choose another --port or --host"
            ) from error
        yield listener


async def _serve(plan: Plan, listener: socket.socket) -> None:
    service = Service(plan.model_dir, plan.config, plan.values, plan.workers, plan.tell)
    jobs = Jobs(service, plan.tell)
    server = _Server(
        _uvicorn_config(plan, application_of(plan, service, jobs), service)
    )
    async with _running(service, jobs, server):
        with _signals(service, server):
            listener.listen(BACKLOG)
            plan.begun(_address(listener, plan.config))
            await server.serve(sockets=[listener])


@asynccontextmanager
async def _running(
    service: Service, jobs: Jobs, server: "_Server"
) -> AsyncIterator[None]:
    """Starts the workers, while requests may come already, and ends them.

    Raises:
        HeadlineError: the workers did not start.
    """
    starting = asyncio.create_task(service.start())
    starting.add_done_callback(lambda done: server.end_if_failed(done))
    try:
        yield
    finally:
        if not starting.done():
            starting.cancel()
        await asyncio.gather(service.end(), jobs.end())
    if not starting.cancelled() and isinstance(starting.exception(), WorkerGone):
        raise HeadlineError(
            "the worker processes did not start, perhaps for want of memory: try "
            "--workers 1"
        )


@contextmanager
def _signals(service: Service, server: "_Server") -> Iterator[None]:
    """Ends the server on SIGTERM and SIGINT, and reloads the model on SIGHUP."""
    loop, reloads = asyncio.get_running_loop(), set[asyncio.Task[None]]()

    def reload() -> None:
        reloads.add(task := asyncio.create_task(service.reload()))
        task.add_done_callback(reloads.discard)

    handlers = {"SIGTERM": server.end, "SIGINT": server.end, "SIGHUP": reload}
    known = [number for number in signal.Signals if number.name in handlers]
    for number in known:
        loop.add_signal_handler(number, handlers[number.name])
    try:
        yield
    finally:
        for number in known:
            loop.remove_signal_handler(number)


def _address(listener: socket.socket, config: ServeConfig) -> str:
    host = f"[{config.host}]" if ":" in config.host else config.host
    return f"http://{host}:{listener.getsockname()[1]}{config.url_prefix.rstrip('/')}/"


class _Server(uvicorn.Server):
    """uvicorn's server, which leaves the signals to us."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signals as they are."""
        yield

    def end(self) -> None:
        """Ends the server once it has answered what it accepted; or, again, at once."""
        self.force_exit = self.should_exit
        self.should_exit = True

    def end_if_failed(self, done: "asyncio.Task[None]") -> None:
        """Ends the server if a task has failed."""
        if not done.cancelled() and done.exception() is not None:
            self.should_exit = self.force_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accepts nothing more, and waits for what was accepted."""
        for listener in self.servers:
            listener.close()
        # A client may have sent a request that has not been read yet.
        for connection in list(self.server_state.connections):
            if (cycle := getattr(connection, "cycle", None)) is not None:
                cycle.keep_alive = False
        await asyncio.sleep(0 if self.force_exit else LINGER)
        await super().shutdown(sockets)


def _uvicorn_config(plan: Plan, app: ASGIApp, service: Service) -> uvicorn.Config:
    config = plan.config
    prefix = config.url_prefix.rstrip("/")
    return uvicorn.Config(
        app,
        http=connection_class(
            config.max_connections,
            config.client_timeout,
            [f"{prefix}{path}" for path in SEARCHES],
            service.refusal,
        ),
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=config.trust_proxy,
        forwarded_allow_ips="*" if config.trust_proxy else None,
        # uvicorn takes any number, although it asks for a whole one.
        timeout_graceful_shutdown=max(0.1, config.grace - LAST - LINGER),  # type: ignore[arg-type]
    )


def application_of(plan: Plan, service: Service, jobs: Jobs) -> ASGIApp:
    """Returns the whole application."""
    config = plan.config
    # With keys or for everyone, other machines call it by whatever name.
    any_host = config.trust_proxy or not is_local(config.host)
    access = Access(plan.keys, any_host, frozenset(config.allow_origin))
    routes = Api(service).router, FileRoutes(service, jobs).router, page_routes.router
    app: ASGIApp = application(*routes)
    app = Guard(app, service, access)
    if config.allow_origin:
        app = CORSMiddleware(
            app,
            allow_origins=config.allow_origin,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["Location", "Retry-After"],
        )
    return Prefixed(app, config.url_prefix)
