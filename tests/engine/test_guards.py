import threading

import pytest
import torch

from sklearn_ssl import SCARF
from sklearn_ssl.engine.guards import pinned_threads


@pytest.fixture
def found():
    """More threads than there may be cores: only the setting is looked at."""
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield 4
    torch.set_num_threads(before)


@pytest.mark.parametrize(("asked", "used"), [(1, 1), (3, 3), (4, 4), (64, 4)])
def test_never_above_what_was_found(found, asked, used):
    with pinned_threads(asked) as n_threads:
        assert n_threads == torch.get_num_threads() == used
    assert torch.get_num_threads() == found


def test_none_keeps_what_was_found(found):
    with pinned_threads(None) as n_threads:
        assert n_threads == torch.get_num_threads() == found
    assert torch.get_num_threads() == found


def test_restored_after_an_error(found):
    with pytest.raises(KeyError), pinned_threads(2):
        raise KeyError
    assert torch.get_num_threads() == found
    with pinned_threads(None) as n_threads:
        assert n_threads == found


def test_nested_blocks(found):
    with pinned_threads(2), pinned_threads(1) as n_threads:
        assert n_threads == 1
    assert torch.get_num_threads() == found


def test_overlapping_fits_restore_what_the_first_found(found):
    n = 6
    inside, outside = threading.Barrier(n), threading.Barrier(n)
    used, left = [], []

    def work(asked):
        with pinned_threads(asked) as n_threads:
            inside.wait()  # all have pinned before any restores
            used.append((asked, n_threads))
        outside.wait()
        left.append(torch.get_num_threads())

    threads = [threading.Thread(target=work, args=(1 + i % 3,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(used) == n and all(asked == pinned for asked, pinned in used)
    assert left == [found] * n
    assert torch.get_num_threads() == found


def test_one_that_begins_within_another_sees_the_true_number(found):
    began, may_end = threading.Event(), threading.Event()
    seen = []

    def first():
        with pinned_threads(1):
            began.set()
            may_end.wait()

    def second():
        began.wait()
        with pinned_threads(3) as n_threads:
            seen.append(n_threads)
            may_end.set()

    threads = [threading.Thread(target=target) for target in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [3]
    assert torch.get_num_threads() == found


def test_a_new_thread_keeps_its_pin_when_another_ends(found):
    """Torch gives a thread that is new to it the number that was last set anywhere."""
    pinned, ended = threading.Event(), threading.Event()
    used = []

    def second():
        with pinned_threads(1):
            pinned.set()
            ended.wait()
            used.append(torch.get_num_threads())

    thread = threading.Thread(target=second)
    with pinned_threads(2):
        thread.start()
        pinned.wait()
    ended.set()
    thread.join()
    assert used == [1]


@pytest.mark.parametrize(("asked", "used"), [(None, 4), (1, 1), (99, 4)])
def test_fit_says_the_number_and_restores_it(found, asked, used):
    X = torch.rand(30, 4, generator=torch.Generator().manual_seed(0)).numpy()
    scarf = SCARF(n_threads=asked, max_epochs=1, random_state=0).fit(X)
    assert scarf.n_threads_ == used
    assert torch.get_num_threads() == found
    scarf.transform(X)
    assert torch.get_num_threads() == found


def test_failed_fit_restores_the_number(found):
    def fail(batch, source, generator):
        assert torch.get_num_threads() == 1
        raise ZeroDivisionError

    X = torch.rand(30, 4, generator=torch.Generator().manual_seed(0)).numpy()
    with pytest.raises(ZeroDivisionError):
        SCARF(n_threads=1, views=fail, random_state=0).fit(X)
    assert torch.get_num_threads() == found
