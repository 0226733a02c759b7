import pytest

from musicapi_nb import errors
from musicapi_nb.refusals import classify

FAMILY = [
    member
    for member in vars(errors).values()
    if isinstance(member, type) and issubclass(member, Exception)
]

PARENTS = {
    errors.InvalidRequest: ValueError,
    errors.InvalidArgument: TypeError,
    errors.RejectedRequest: ValueError,
    errors.RetiredOperation: errors.RejectedRequest,
    errors.TaskNotFound: LookupError,
    errors.OutOfCredits: errors.Forbidden,
    errors.NoSubscription: errors.Forbidden,
    errors.ContentRefused: errors.Forbidden,
    errors.Unreachable: ConnectionError,
    errors.CertificateRefused: errors.Unreachable,
    errors.LostReply: ConnectionError,
    errors.WaitTimeout: TimeoutError,
    errors.MissingFile: FileNotFoundError,
    errors.UnreadableFile: OSError,
    errors.NestingRefused: RuntimeError,
    errors.OverBudget: errors.LibraryError,
    errors.UnknownPrice: errors.OverBudget,
    errors.InvalidTransition: ValueError,
    errors.BadFrame: ValueError,
    errors.NothingToCompare: ValueError,
    errors.NoAudio: LookupError,
    errors.PageTooLarge: ValueError,
}
NO_CREDITS = (
    "The remaining credits are not enough. You can buy more one-time credit packs or subscribe."
)
NO_SUBSCRIPTION = (
    "You do not have an active subscription. Please check whether your renewal was successful."
)
# (status, message, error class): docs error-handling and nuro-error-handling, 2025
DOCUMENTED = [
    (
        400,
        "The 'mv' field is invalid. The model should be 'sonic-v3-5' or 'sonic-v4'.",
        errors.RejectedRequest,
    ),
    (
        400,
        "The 'persona_id' field is required when task_type = persona_music.",
        errors.RejectedRequest,
    ),
    (400, "The 'make_instrumental' field should be boolean.", errors.RejectedRequest),
    (400, "The 'custom_mode' field should be boolean.", errors.RejectedRequest),
    (400, "The prompt character length should be less than 3000.", errors.RejectedRequest),
    (
        400,
        "The 'gpt_description_prompt' character length should be less than 200.",
        errors.RejectedRequest,
    ),
    (400, "The tags character length should be less than 200.", errors.RejectedRequest),
    (400, "The title character length should be less than 80.", errors.RejectedRequest),
    (400, "description is required.", errors.RejectedRequest),
    (400, "The description character length should be less than 120.", errors.RejectedRequest),
    (400, "name and continue_clip_id are required fields.", errors.RejectedRequest),
    (400, "The name character length should be less than 80.", errors.RejectedRequest),
    (400, "The description character length should be less than 200.", errors.RejectedRequest),
    (400, "task not found.", errors.TaskNotFound),
    (400, "missing task id.", errors.TaskNotFound),
    (401, "Authorization header is missing.", errors.Unauthorized),
    (401, "Invalid authorization format.", errors.Unauthorized),
    (401, "signature invalid", errors.Unauthorized),
    (401, "authorization expired", errors.Unauthorized),
    (403, NO_CREDITS, errors.OutOfCredits),
    (403, NO_SUBSCRIPTION, errors.NoSubscription),
    (403, "The lyrics format is invalid. Please check and try again.", errors.ContentRefused),
    (
        403,
        "The lyrics contain copyrighted content: 'a line'. Please use original lyrics.",
        errors.ContentRefused,
    ),
    (403, "The lyrics contain inappropriate content: 'a line'.", errors.ContentRefused),
    (403, "The song description needs moderation review.", errors.ContentRefused),
    (403, "description contains artist names", errors.ContentRefused),
    (403, "description contains producer tags", errors.ContentRefused),
    (403, "usage limit", errors.RateLimited),
    (403, "QPS limit", errors.RateLimited),
    (403, "queue is full", errors.RateLimited),
    (404, "task not found", errors.TaskNotFound),
    (410, "This task type is no longer offered.", errors.RetiredOperation),
    (429, "too many requests", errors.RateLimited),
    (429, "", errors.RateLimited),
    (500, "Internal Server Error.", errors.ServerError),
    (504, "Task failed due to timeout. Credits were previously refunded.", errors.TaskFailed),
]


@pytest.mark.parametrize(("error", "parent"), PARENTS.items())
def test_error_has_its_builtin_parent(error: type[Exception], parent: type[Exception]) -> None:
    assert issubclass(error, parent)
    assert issubclass(error, errors.MusicAPIError)


def test_other_errors_have_no_builtin_parent() -> None:
    builtins = ValueError | TypeError | LookupError | OSError | RuntimeError
    assert len(FAMILY) > len(PARENTS)
    for member in FAMILY:
        assert issubclass(member, errors.MusicAPIError)
        by_parent = issubclass(member, tuple(PARENTS))
        assert issubclass(member, builtins) <= by_parent, member


def test_errors_that_are_oserrors() -> None:
    kinds = {member for member in FAMILY if issubclass(member, OSError)}
    assert kinds == {
        errors.Unreachable,
        errors.CertificateRefused,
        errors.LostReply,
        errors.WaitTimeout,
        errors.MissingFile,
        errors.UnreadableFile,
    }


@pytest.mark.parametrize(
    ("status", "message", "error_class"),
    DOCUMENTED,
    ids=[f"{status} {message}" for status, message, _ in DOCUMENTED],
)
def test_documented_messages(
    status: int, message: str, error_class: type[errors.MusicAPIError]
) -> None:
    assert classify(status, message) is error_class
    assert classify(status, message.upper()) is error_class


@pytest.mark.parametrize(
    "message", ["", *sorted({message for _, message, _ in DOCUMENTED if message})]
)
def test_4xx_is_never_a_server_error_and_5xx_always_is(message: str) -> None:
    for status in range(400, 500):
        error_class = classify(status, message)
        assert error_class is not errors.MusicAPIError
        assert not issubclass(
            error_class, errors.ServerError | errors.UnexpectedReply | errors.TaskFailed
        )
    for status in range(500, 600):
        assert issubclass(classify(status, message), errors.ServerError | errors.TaskFailed)
    for status in (100, 199, 301, 302, 399):
        assert classify(status, message) is errors.UnexpectedReply


@pytest.mark.parametrize(
    ("status", "error_class"),
    [
        (400, errors.RejectedRequest),
        (401, errors.Unauthorized),
        (402, errors.OutOfCredits),
        (403, errors.Forbidden),
        (404, errors.RejectedRequest),
        (405, errors.RejectedRequest),
        (410, errors.RetiredOperation),
        (422, errors.RejectedRequest),
        (429, errors.RateLimited),
        (500, errors.ServerError),
        (502, errors.ServerError),
        (503, errors.ServerError),
        (504, errors.ServerError),
        (599, errors.ServerError),
    ],
)
def test_status_with_unknown_message(status: int, error_class: type[errors.MusicAPIError]) -> None:
    assert classify(status, "") is error_class
    assert classify(status, "words that nobody documented") is error_class


def test_str_has_message_cost_and_advice() -> None:
    error = errors.OutOfCredits(
        "the service answered 403", status=403, request_id="req-1", body=b"{}"
    )
    assert str(error) == "the service answered 403. Nothing was charged."
    assert (error.status, error.body) == (403, b"{}")
    assert str(errors.LostReply("the reply did not come", may_have_cost=True)) == (
        "the reply did not come. It may have cost credits, or not; it was not sent twice. "
        "See api.library, or compare api.credits() with your earlier balance "
        "before you send it again."
    )


def test_invalid_request_lists_all_problems() -> None:
    error = errors.InvalidRequest(
        "sonic.Create",
        [errors.Problem("mv", "is needed"), errors.Problem("", "makes no sense together")],
    )
    assert str(error) == (
        "sonic.Create was not sent and cost nothing: mv: is needed; makes no sense together."
    )
    assert [problem.field for problem in error.problems] == ["mv", ""]
    assert not error.may_have_cost


def test_error_attributes() -> None:
    assert errors.TaskFailed("no luck", refunded=True, status=504).refunded is True
    assert errors.TaskFailed("no luck").refunded is None
    assert errors.WaitTimeout("late", task="the task").task == "the task"
    assert errors.RateLimited("slow down").retry_after is None
