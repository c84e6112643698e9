"""ptq-vs-qat: is the difference between post-training quantization and QAT real?"""

__version__ = "0.1.0"
