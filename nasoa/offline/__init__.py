"""The offline half: finding networks that train fast, and pretraining them."""
