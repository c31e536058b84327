"""The forge: makes micro-models from examples. Networks need torch, gguf and sentencepiece; the rest needs numpy."""
