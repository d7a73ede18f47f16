"""The one error a user sees for bad input."""


class DataError(ValueError):
    """Bad input data. The message says where (file, video, frame, field), what, and the remedy."""

    def __init__(
        self,
        problem: str,
        *,
        file: object = None,
        video: object = None,
        frame: object = None,
        field: str | None = None,
        remedy: str | None = None,
    ):
        places = {"file": file, "video": video, "frame": frame, "field": field}
        where = ", ".join(f"{name} {value}" for name, value in places.items() if value is not None)
        message = f"{where}: {problem}" if where else problem
        if remedy:
            message = f"{message}. {remedy}"
        super().__init__(message)
        self.file, self.video, self.frame = file, video, frame
        self.field, self.remedy = field, remedy
