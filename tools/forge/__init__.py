"""Trains the micro-models that ship with zooid; needs torch, gguf, sentencepiece, scikit-learn, inflect."""
