"""What nbval cannot see, since it sends one cell at a time: Run All while a job is waited for."""

import pytest

from tests.browser.lab import Lab

_CONNECT = """\
import musicapi_nb as mnb
from musicapi_nb import sonic

api = mnb.connect()
order = []"""

_ASK = """\
job = api.run(sonic.Create(custom_mode=False, gpt_description_prompt="rain", mv="sonic-v5"))
waited = not job.done()"""


@pytest.mark.parametrize("waiting", ["task = await job", "task = job.result()"])
def test_queued_cells_run_while_a_job_is_waited_for(lab: Lab, waiting: str) -> None:
    queued = [f"order.append({number})" for number in range(3)]
    notebook = lab.open([_CONNECT, _ASK, waiting, *queued, "print(waited, task.state, order)"])

    notebook.run_all()

    assert notebook.texts()[-1] == "True succeeded [0, 1, 2]\n"
    assert notebook.execution_counts() == [1, 2, 3, 4, 5, 6, 7]
