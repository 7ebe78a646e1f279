"""Judges with random weights, for the tests of styles."""

import numpy as np

from headline.network.styles.catalogue import Example, Style, StyleMap, Styles
from headline.network.styles.form import Form, FormSpace
from headline.network.styles.posterior import StyleJudge, judge_shapes

ARTICLES = ["天地玄黄宇宙洪荒", "日月盈昃辰宿列张", "寒来暑往秋收冬藏"]
HEADLINES = ["天地：玄黄", "辰宿 列张", "秋收冬藏来往"]
FORMS = [Form.of(*both) for both in zip(HEADLINES, ARTICLES, strict=True)]
SPACE = FormSpace.of(FORMS)


def random_judge(width: int = 8, styles: int = 3, seed: int = 0) -> StyleJudge:
    """Returns a judge whose weights are far enough from 0 that each one matters."""
    generator = np.random.default_rng(seed)
    arrays = {
        name: generator.normal(scale=0.5, size=shape).astype(np.float32)
        for name, shape in judge_shapes(SPACE, width, styles).items()
    }
    arrays["article/scale"] = np.abs(arrays["article/scale"]) + np.float32(0.1)
    return StyleJudge(SPACE, arrays)


def random_styles(width: int = 8, styles: int = 3) -> Styles:
    """Returns styles that no corpus has, with judges of two seeds."""
    generator = np.random.default_rng(1)
    described = tuple(
        Style(
            share=1 / styles,
            median_length=10.5 + place,
            traits=("short", "space 90% (of all 12%)"),
            examples=(Example("天地玄黄宇宙", "天地<玄黄>"),),
        )
        for place in range(styles)
    )
    return Styles(
        judge=random_judge(width, styles),
        second=random_judge(width, styles, seed=1),
        styles=described,
        map=StyleMap(
            points=generator.normal(size=(20, 2)).astype(np.float32),
            styles=generator.integers(styles, size=20, dtype=np.int32),
            centres=generator.normal(size=(styles, 2)).astype(np.float32),
        ),
        fit={"agreements": [0.7, 0.5], "vae": [{"kl": 2.5, "style_information": 1.2}]},
    )
