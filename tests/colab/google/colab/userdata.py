"""Secrets of a Colab account: here, the key is empty, so that connect() uses the simulator."""


def get(key: str) -> str:
    return {"MUSICAPI_KEY": ""}[key]
