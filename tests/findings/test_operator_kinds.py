"""Which kind of work a name stands for: operators of torch, and kernels as its libraries call them."""

from __future__ import annotations

import pytest

from benchsuite.findings.operator_kinds import KINDS, OTHER, kind_of_work


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("aten::addmm", "matrix products"),
        ("aten::bmm", "matrix products"),
        ("sm90_xmma_gemm_f16f16_f16f32_f32_tn_n_tilesize128x128x64_warpgroupsize1x1x1", "matrix products"),
        ("void cutlass::Kernel2<cutlass_80_tensorop_s1688gemm_128x128_16x5_tn_align4>", "matrix products"),
        ("nvjet_hsh_128x256_64x4_1x2_h_bz_coopA_TNT", "matrix products"),
        ("aten::_scaled_dot_product_flash_attention_for_cpu", "fused attention"),
        ("void pytorch_flash::flash_fwd_kernel<Flash_fwd_kernel_traits<64, 128>>", "fused attention"),
        ("fmha_cutlassF_f16_aligned_64x64_rf_sm80", "fused attention"),
        ("aten::_softmax", "softmax"),
        ("aten::_softmax_backward_data", "softmax"),
        ("void (anonymous namespace)::softmax_warp_forward<c10::Half, float, 8>", "softmax"),
        ("aten::native_layer_norm", "norms"),
        ("void at::native::(anonymous namespace)::vectorized_layer_norm_kernel<float, float>", "norms"),
        ("void cudnn::bn_fw_tr_1C11_kernel_NCHW<float, float>", "norms"),
        ("aten::mkldnn_convolution", "convolutions"),
        ("sm80_xmma_fprop_implicit_gemm_f16f16_f16f32_f32_nhwckrsc", "convolutions"),
        ("void at::native::conv_depthwise2d_forward_kernel<3>", "convolutions"),
        ("aten::copy_", "copies"),
        ("aten::roll", "copies"),
        ("aten::im2col", "copies"),
        (
            "void at::native::elementwise_kernel<128, 4, gpu_kernel_impl_nocast<direct_copy_kernel_cuda>>",
            "copies",
        ),
        ("Memcpy DtoD (Device -> Device)", "copies"),
        ("void at::native::unrolled_elementwise_kernel<CUDAFunctor_add<float>>", "elementwise"),
        ("void at::native::vectorized_elementwise_kernel<4, GeluCUDAKernelImpl>", "elementwise"),
        ("aten::gelu", "elementwise"),
        ("aten::mul_", "elementwise"),
        ("void at::native::index_elementwise_kernel<128, 4>", "indexing"),
        ("aten::gather", "indexing"),
        ("aten::topk", "sorting"),
        ("void at::native::reduce_kernel<512, 1, ReduceOp<float, sum_functor>>", "pooling and sums"),
        ("aten::avg_pool2d", "pooling and sums"),
        ("aten::_fft_r2c", "Fourier transforms"),
        ("triton_per_fused_native_layer_norm_1", "compiled code"),
        ("autograd::engine::evaluate_function: AddmmBackward0", "autograd"),
        ("AddmmBackward0", "autograd"),
        ("aten::as_strided", "views"),
        ("aten::t", "views"),
        ("aten::_foreach_add_", "optimizer"),
        ("aten::addcdiv_", "optimizer"),
        ("mine::secret", OTHER),
    ],
)
def test_a_name_is_of_one_kind(name: str, kind: str) -> None:
    assert kind in KINDS
    assert kind_of_work(name) == kind


def test_no_two_kinds_have_one_name() -> None:
    assert len(set(KINDS)) == len(KINDS)
