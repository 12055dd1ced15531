"""Kernels are told by a name that a reader can hold."""

from __future__ import annotations

import pytest

from benchmarks import kernels


@pytest.mark.parametrize(
    ("name", "short"),
    [
        (
            "void at::native::vectorized_elementwise_kernel<4, at::native::FillFunctor<float>>(int)",
            "vectorized_elementwise_kernel",
        ),
        (
            "void at::native::(anonymous namespace)::max_pool_backward_nhwc<float, int>(float const*)",
            "max_pool_backward_nhwc",
        ),
        ("aten::copy_", "aten::copy_"),
        (
            "sm90_xmma_fprop_implicit_gemm_bf16bf16_bf16f32_f32_nhwckrsc_nhwc_tilesize128x64x64",
            "sm90_xmma_fprop_implicit_gemm_bf16bf16_bf16f32_f",
        ),
    ],
)
def test_a_kernel_is_told_without_its_template_arguments(name: str, short: str) -> None:
    assert kernels._short(name) == short
