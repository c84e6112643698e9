"""What a worker needs to do the work: a module's name, and what is somebody's own as text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from bench import models
from bench.metrics import own as metrics
from bench.pipelines import diagnose
from bench.plugins import Own, Part, whole


@dataclass(frozen=True)
class Pipeline:
    """module: the one that does the work, by name; own: models of somebody's own, whole: pipelines
    of theirs, by the names that cells carry; keep_models: shall rows bring their TFLite files to
    the driver? measures: metrics of somebody's own, by name; diagnosed: the seeds whose models are
    looked into, None: all."""

    module: str
    own: Mapping[str, Part] = field(default_factory=dict)
    keep_models: bool = False
    measures: Mapping[str, metrics.OwnMetric] = field(default_factory=dict)
    whole: Mapping[str, Own] = field(default_factory=dict)
    diagnosed: frozenset[int] | None = frozenset()

    def prepared(self) -> Any:
        """The module, in a process where these are known. Imports TensorFlow, but not of a whole
        pipeline."""
        models.use(self.own)
        metrics.use(self.measures)
        whole.use(self.whole)
        diagnose.use(self.diagnosed)
        body = import_module(self.module)
        body.prepare()
        return body
