import pytest

from musicapi_nb import errors
from musicapi_nb.errors import (
    BadFrame,
    CertificateRefused,
    ContentRefused,
    Forbidden,
    InvalidArgument,
    InvalidRequest,
    InvalidTransition,
    LibraryError,
    LostReply,
    MusicAPIError,
    NestingRefused,
    NoAudio,
    NoSubscription,
    NothingToCompare,
    OutOfCredits,
    OverBudget,
    PageTooLarge,
    Problem,
    RateLimited,
    RejectedRequest,
    RetiredOperation,
    ServerError,
    TaskFailed,
    TaskNotFound,
    Unauthorized,
    UnexpectedReply,
    UnknownPrice,
    Unreachable,
    WaitTimeout,
)
from musicapi_nb.refusals import classify

FAMILY = [
    member
    for member in vars(errors).values()
    if isinstance(member, type) and issubclass(member, Exception)
]

PARENTS = {
    InvalidRequest: ValueError,
    InvalidArgument: TypeError,
    RejectedRequest: ValueError,
    RetiredOperation: RejectedRequest,
    TaskNotFound: LookupError,
    OutOfCredits: Forbidden,
    NoSubscription: Forbidden,
    ContentRefused: Forbidden,
    Unreachable: ConnectionError,
    CertificateRefused: Unreachable,
    LostReply: ConnectionError,
    WaitTimeout: TimeoutError,
    NestingRefused: RuntimeError,
    OverBudget: LibraryError,
    UnknownPrice: OverBudget,
    InvalidTransition: ValueError,
    BadFrame: ValueError,
    NothingToCompare: ValueError,
    NoAudio: LookupError,
    PageTooLarge: ValueError,
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
        RejectedRequest,
    ),
    (400, "The 'persona_id' field is required when task_type = persona_music.", RejectedRequest),
    (400, "The 'make_instrumental' field should be boolean.", RejectedRequest),
    (400, "The 'custom_mode' field should be boolean.", RejectedRequest),
    (400, "The prompt character length should be less than 3000.", RejectedRequest),
    (
        400,
        "The 'gpt_description_prompt' character length should be less than 200.",
        RejectedRequest,
    ),
    (400, "The tags character length should be less than 200.", RejectedRequest),
    (400, "The title character length should be less than 80.", RejectedRequest),
    (400, "description is required.", RejectedRequest),
    (400, "The description character length should be less than 120.", RejectedRequest),
    (400, "name and continue_clip_id are required fields.", RejectedRequest),
    (400, "The name character length should be less than 80.", RejectedRequest),
    (400, "The description character length should be less than 200.", RejectedRequest),
    (400, "task not found.", TaskNotFound),
    (400, "missing task id.", TaskNotFound),
    (401, "Authorization header is missing.", Unauthorized),
    (401, "Invalid authorization format.", Unauthorized),
    (401, "signature invalid", Unauthorized),
    (401, "authorization expired", Unauthorized),
    (403, NO_CREDITS, OutOfCredits),
    (403, NO_SUBSCRIPTION, NoSubscription),
    (403, "The lyrics format is invalid. Please check and try again.", ContentRefused),
    (
        403,
        "The lyrics contain copyrighted content: 'a line'. Please use original lyrics.",
        ContentRefused,
    ),
    (403, "The lyrics contain inappropriate content: 'a line'.", ContentRefused),
    (403, "The song description needs moderation review.", ContentRefused),
    (403, "description contains artist names", ContentRefused),
    (403, "description contains producer tags", ContentRefused),
    (403, "usage limit", RateLimited),
    (403, "QPS limit", RateLimited),
    (403, "queue is full", RateLimited),
    (404, "task not found", TaskNotFound),
    (410, "This task type is no longer offered.", RetiredOperation),
    (429, "too many requests", RateLimited),
    (429, "", RateLimited),
    (500, "Internal Server Error.", ServerError),
    (504, "Task failed due to timeout. Credits were previously refunded.", TaskFailed),
]


@pytest.mark.parametrize(("error", "parent"), PARENTS.items())
def test_error_has_its_builtin_parent(error: type[Exception], parent: type[Exception]) -> None:
    assert issubclass(error, parent)
    assert issubclass(error, MusicAPIError)


def test_other_errors_have_no_builtin_parent() -> None:
    builtins = ValueError | TypeError | LookupError | OSError | RuntimeError
    assert len(FAMILY) > len(PARENTS)
    for member in FAMILY:
        assert issubclass(member, MusicAPIError)
        by_parent = issubclass(member, tuple(PARENTS))
        assert issubclass(member, builtins) <= by_parent, member


def test_errors_that_are_oserrors() -> None:
    kinds = {member for member in FAMILY if issubclass(member, OSError)}
    assert kinds == {Unreachable, CertificateRefused, LostReply, WaitTimeout}


@pytest.mark.parametrize(
    ("status", "message", "error_class"),
    DOCUMENTED,
    ids=[f"{status} {message}" for status, message, _ in DOCUMENTED],
)
def test_documented_messages(status: int, message: str, error_class: type[MusicAPIError]) -> None:
    assert classify(status, message) is error_class
    assert classify(status, message.upper()) is error_class


@pytest.mark.parametrize(
    "message", ["", *sorted({message for _, message, _ in DOCUMENTED if message})]
)
def test_4xx_is_never_a_server_error_and_5xx_always_is(message: str) -> None:
    for status in range(400, 500):
        error_class = classify(status, message)
        assert error_class is not MusicAPIError
        assert not issubclass(error_class, ServerError | UnexpectedReply | TaskFailed)
    for status in range(500, 600):
        assert issubclass(classify(status, message), ServerError | TaskFailed)
    for status in (100, 199, 301, 302, 399):
        assert classify(status, message) is UnexpectedReply


@pytest.mark.parametrize(
    ("status", "error_class"),
    [
        (400, RejectedRequest),
        (401, Unauthorized),
        (402, OutOfCredits),
        (403, Forbidden),
        (404, RejectedRequest),
        (405, RejectedRequest),
        (410, RetiredOperation),
        (422, RejectedRequest),
        (429, RateLimited),
        (500, ServerError),
        (502, ServerError),
        (503, ServerError),
        (504, ServerError),
        (599, ServerError),
    ],
)
def test_status_with_unknown_message(status: int, error_class: type[MusicAPIError]) -> None:
    assert classify(status, "") is error_class
    assert classify(status, "words that nobody documented") is error_class


def test_str_has_message_cost_and_advice() -> None:
    error = OutOfCredits("the service answered 403", status=403, request_id="req-1", body=b"{}")
    assert str(error) == (
        "the service answered 403. Nothing was charged. Buy credits or request fewer songs. "
        "(request id req-1)"
    )
    assert (error.status, error.body) == (403, b"{}")
    assert str(LostReply("the reply did not come", may_have_cost=True)) == (
        "the reply did not come. It may have cost credits and was not resent. Compare "
        "api.credits() with your earlier balance before you send it again."
    )


def test_invalid_request_lists_all_problems() -> None:
    error = InvalidRequest(
        "sonic.Create", [Problem("mv", "is needed"), Problem("", "makes no sense together")]
    )
    assert str(error) == (
        "sonic.Create was not sent and cost nothing: mv: is needed; makes no sense together."
    )
    assert [problem.field for problem in error.problems] == ["mv", ""]
    assert not error.may_have_cost


def test_error_attributes() -> None:
    assert TaskFailed("no luck", refunded=True, status=504).refunded is True
    assert TaskFailed("no luck").refunded is None
    assert WaitTimeout("late", task="the task").task == "the task"
    assert RateLimited("slow down").retry_after is None
