"""Boxes of volumes, and who computes them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from electrode_grains.blocks import (
    ExecutorSettings,
    SerialExecutor,
    ThreadExecutor,
    divide,
    read_padded,
    write_blocks,
)
from electrode_grains.blocks.boxes import global_index, local_index
from electrode_grains.errors import InputError, SettingsError

shapes = st.tuples(*[st.integers(1, 9)] * 3)


@given(shape=shapes, edge=st.integers(1, 12))
def test_blocks_hold_each_voxel_once(shape, edge):
    counts = np.zeros(shape, int)
    for box in divide(shape, edge):
        counts[box] += 1

    assert (counts == 1).all()


@given(shape=shapes, edge=st.integers(1, 5), halo=st.integers(0, 3))
def test_a_padded_block_is_that_of_the_padded_volume(shape, edge, halo):
    volume = np.arange(np.prod(shape)).reshape(shape)
    padded = np.pad(volume, halo, constant_values=-1)

    for box in divide(shape, edge):
        around = tuple(slice(side.start, side.stop + 2 * halo) for side in box)
        np.testing.assert_array_equal(read_padded(volume, box, halo, -1), padded[around])


@given(shape=shapes, edge=st.integers(1, 5), halo=st.integers(0, 2))
def test_indices_of_a_block_and_of_the_volume_name_the_same_voxels(shape, edge, halo):
    volume = np.arange(np.prod(shape)).reshape(shape)

    for box in divide(shape, edge):
        block = read_padded(volume, box, halo, -1)
        local = np.flatnonzero(block.ravel() >= 0)
        index = global_index(local, block.shape, box, halo, shape)
        np.testing.assert_array_equal(index, block.ravel()[local])
        within, back = local_index(volume.ravel(), block.shape, box, halo, shape)
        np.testing.assert_array_equal(volume.ravel()[within], index)
        np.testing.assert_array_equal(back, local)


@pytest.mark.parametrize("executor", [SerialExecutor(), ThreadExecutor(3)])
def test_results_come_in_the_order_of_the_tasks(executor):
    assert list(executor.map(pow, [(2, n) for n in range(50)])) == [2**n for n in range(50)]


@pytest.mark.parametrize("executor", [SerialExecutor(), ThreadExecutor(2)])
def test_the_refusal_of_a_task_reaches_the_caller(executor):
    with pytest.raises(InputError, match="block 3 is damaged"):
        list(executor.map(refuse_three, [(n,) for n in range(9)]))


def refuse_three(number):
    if number == 3:
        raise InputError("block 3 is damaged")
    return number


def test_the_digest_of_written_blocks_tells_what_they_hold():
    boxes = divide((4, 4, 4), 3)
    same = [
        write_blocks(
            executor, np.zeros((4, 4, 4)), np.full, [(box, (shape_of_box(box), 7)) for box in boxes]
        )
        for executor in (SerialExecutor(), ThreadExecutor(2))
    ]
    other = write_blocks(
        SerialExecutor(), np.zeros((4, 4, 4)), np.full, [(b, (shape_of_box(b), 8)) for b in boxes]
    )

    assert same[0] == same[1] != other


def shape_of_box(box):
    return tuple(side.stop - side.start for side in box)


def test_an_array_of_this_process_is_no_target_for_other_processes():
    elsewhere = SerialExecutor()
    elsewhere.shares_memory = False

    with pytest.raises(SettingsError, match=r"shape \(2, 2, 2\)"):
        write_blocks(elsewhere, np.zeros((2, 2, 2)), np.full, [])


def test_a_memory_limit_below_a_block_names_the_largest_edge_that_fits():
    with pytest.raises(SettingsError, match="at most 246") as refusal:
        ExecutorSettings(memory_limit=1).check_memory()

    ExecutorSettings(memory_limit=1, block_edge=246).check_memory()
    with pytest.raises(SettingsError):
        ExecutorSettings(memory_limit=1, block_edge=247).check_memory()
    assert refusal.value.where == "compute.memory_limit"


def test_an_address_without_dask_is_refused():
    with pytest.raises(SettingsError, match="set executor to dask"):
        ExecutorSettings.checked(scheduler_address="tcp://host:8786")
