"""What a results.json must hold: one line says where it does not."""


class ResultsError(Exception):
    """One line that says what is wrong with the input."""


def need(condition, message):
    if not condition:
        raise ResultsError(message)


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def number(data, name, where):
    value = data.get(name)
    need(value is None or is_number(value), f"{where}.{name} is not a number")
    return value


def integer(data, name, where):
    return int(number(data, name, where) or 0)


def text(data, name, where):
    value = data.get(name)
    need(value is None or isinstance(value, str), f"{where}.{name} is not a string")
    return value or ""


def name(data, name, where):
    value = text(data, name, where)
    need(value, f"{where}.{name} is missing")
    return value


def object_of(data, name, where):
    value = data.get(name)
    need(value is None or isinstance(value, dict), f"{where} is not an object")
    return value or {}


def list_of(data, name, where):
    value = data.get(name)
    need(value is None or isinstance(value, list), f"{where} is not a list")
    return value or []


def numbers_of(data, name, where):
    """A list of numbers, as a tuple."""
    values = list_of(data, name, f"{where}.{name}")
    need(all(map(is_number, values)), f"{where}.{name} holds something else than numbers")
    return tuple(values)
