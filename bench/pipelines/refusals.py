"""Why a model cannot be trained here: exceptions whose text names the layer or the weight."""


class Refused(Exception):
    """This model, or this training of it, gives no result that can be relied on."""


class Unsupported(Refused):
    """TFMOT cannot quantize this model."""


class Unmatched(Refused):
    """A float weight did not reach the quantized model, or that model computes something else."""


class Uncontrolled(Refused):
    """A layer draws random numbers, or keeps a state, that no seed of the study determines."""
