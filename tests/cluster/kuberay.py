"""What a KubeRay RayJob may say, as far as ours says it: names, types and which must be there, of
the API ray.io/v1 (KubeRay's rayjob_types.go and raycluster_types.go, release 1.4 and later).

KubeRay's own schema, which is made from these, has 1.4 MB, most of it about pods. What a pod may
say is checked by the package kubernetes-validate where that is installed.
"""

from typing import Any

TEXT, WHOLE, FLAG = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
TEXTS = {"type": "object", "additionalProperties": TEXT}


def closed(required: str, **fields: Any) -> dict[str, Any]:
    """An object of these fields and no others."""
    return {
        "type": "object",
        "properties": fields,
        "required": required.split(),
        "additionalProperties": False,
    }


METADATA = closed("", name=TEXT, labels=TEXTS, annotations=TEXTS)

TEMPLATE = closed("spec", metadata=METADATA, spec={"type": "object", "required": ["containers"]})

AUTOSCALER = closed(
    "",
    version={"enum": ["v1", "v2"]},
    idleTimeoutSeconds=WHOLE,
    upscalingMode={"enum": ["Default", "Aggressive", "Conservative"]},
    resources={"type": "object"},
    image=TEXT,
)

HEAD = closed("template", rayStartParams=TEXTS, serviceType=TEXT, template=TEMPLATE)

WORKERS = closed(
    "groupName minReplicas maxReplicas template",
    groupName=TEXT,
    replicas=WHOLE,
    minReplicas=WHOLE,
    maxReplicas=WHOLE,
    idleTimeoutSeconds=WHOLE,
    numOfHosts=WHOLE,
    rayStartParams=TEXTS,
    template=TEMPLATE,
)

CLUSTER = closed(
    "headGroupSpec",
    rayVersion=TEXT,
    enableInTreeAutoscaling=FLAG,
    autoscalerOptions=AUTOSCALER,
    headGroupSpec=HEAD,
    workerGroupSpecs={"type": "array", "items": WORKERS},
)

SPEC = closed(
    "",
    entrypoint=TEXT,
    runtimeEnvYAML=TEXT,
    submissionMode={"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode"]},
    backoffLimit=WHOLE,
    activeDeadlineSeconds=WHOLE,
    shutdownAfterJobFinishes=FLAG,
    ttlSecondsAfterFinished=WHOLE,
    suspend=FLAG,
    metadata=TEXTS,
    rayClusterSpec=CLUSTER,
)

RAYJOB = closed(
    "apiVersion kind metadata spec",
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata=METADATA,
    spec=SPEC,
)
