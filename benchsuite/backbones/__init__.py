"""The papers' networks, exact to the parameter, with the mixer of a stage as an argument.

A row names a function `(*, num_classes=1000, resolution=224, kernel="math", mixer=None, **sizes) → nn.Module`
whose `forward` makes logits (B, num_classes) of images (B, 3, H, W). `mixer` says what mixes in a stage in
place of what the paper has: {"stage3": "sra"}, {"all": {"name": "hilo", "params": {"alpha": 0.5}}}; `sizes`,
which depths, widths and heads are not the paper's (`sizes_of`). Stochastic depth, which does nothing in
inference, is left out everywhere.

A network's file has its builders, and, where its authors released code, `PORTS`: class of theirs →
`NetworkPort`. Networks of stages are configurations (`_stage.py`) that `_hierarchy.py` builds. To add one,
write its file and one line here.
"""

from __future__ import annotations

BACKBONES: dict[str, str] = {
    "acmix_pvt_t": "benchsuite.backbones.acmix_pvt:acmix_pvt_t",
    "acmix_pvt_s": "benchsuite.backbones.acmix_pvt:acmix_pvt_s",
    "acmix_resnet26": "benchsuite.backbones.resnet:acmix_resnet26",
    "acmix_resnet38": "benchsuite.backbones.resnet:acmix_resnet38",
    "acmix_resnet50": "benchsuite.backbones.resnet:acmix_resnet50",
    "acmix_swin_t": "benchsuite.backbones.acmix_swin:acmix_swin_t",
    "acmix_swin_s": "benchsuite.backbones.acmix_swin:acmix_swin_s",
    "acmix_swin_b": "benchsuite.backbones.acmix_swin:acmix_swin_b",
    "convnext_t": "benchsuite.backbones.convnext:convnext_t",
    "davit_t": "benchsuite.backbones.davit:davit_t",
    "davit_s": "benchsuite.backbones.davit:davit_s",
    "davit_b": "benchsuite.backbones.davit:davit_b",
    "davit_l": "benchsuite.backbones.davit:davit_l",
    "davit_h": "benchsuite.backbones.davit:davit_h",
    "davit_h_overlap": "benchsuite.backbones.davit:davit_h_overlap",
    "davit_g": "benchsuite.backbones.davit:davit_g",
    "davit_g_overlap": "benchsuite.backbones.davit:davit_g_overlap",
    "deit_ti": "benchsuite.backbones.vit:deit_ti",
    "deit_ti_cb": "benchsuite.backbones.vit:deit_ti_cb",
    "deit_ti_cbs": "benchsuite.backbones.vit:deit_ti_cbs",
    "deit_ti_cb_deep": "benchsuite.backbones.vit:deit_ti_cb_deep",
    "deit_ti_cbs_deep": "benchsuite.backbones.vit:deit_ti_cbs_deep",
    "deit_s": "benchsuite.backbones.vit:deit_s",
    "deit_s_cb": "benchsuite.backbones.vit:deit_s_cb",
    "deit_s_cbs": "benchsuite.backbones.vit:deit_s_cbs",
    "deit_s_cb_front": "benchsuite.backbones.vit:deit_s_cb_front",
    "deit_s_cbs_front": "benchsuite.backbones.vit:deit_s_cbs_front",
    "deit_s_cb_mid": "benchsuite.backbones.vit:deit_s_cb_mid",
    "deit_s_cbs_mid": "benchsuite.backbones.vit:deit_s_cbs_mid",
    "deit_s_cb_msa": "benchsuite.backbones.vit:deit_s_cb_msa",
    "deit_s_cbs_msa": "benchsuite.backbones.vit:deit_s_cbs_msa",
    "deit_s_cb_both": "benchsuite.backbones.vit:deit_s_cb_both",
    "deit_s_cbs_both": "benchsuite.backbones.vit:deit_s_cbs_both",
    "deit_s_cb_deep": "benchsuite.backbones.vit:deit_s_cb_deep",
    "deit_s_cbs_deep": "benchsuite.backbones.vit:deit_s_cbs_deep",
    "deit_b": "benchsuite.backbones.vit:deit_b",
    "deit_b_cb": "benchsuite.backbones.vit:deit_b_cb",
    "deit_b_cbs": "benchsuite.backbones.vit:deit_b_cbs",
    "deit_b_cb_deep": "benchsuite.backbones.vit:deit_b_cb_deep",
    "deit_b_cbs_deep": "benchsuite.backbones.vit:deit_b_cbs_deep",
    "dwnet_t": "benchsuite.backbones.dwnet:dwnet_t",
    "dwnet_t_dynamic": "benchsuite.backbones.dwnet:dwnet_t_dynamic",
    "dwnet_t_idynamic": "benchsuite.backbones.dwnet:dwnet_t_idynamic",
    "dwnet_b": "benchsuite.backbones.dwnet:dwnet_b",
    "dwnet_b_dynamic": "benchsuite.backbones.dwnet:dwnet_b_dynamic",
    "dwnet_b_idynamic": "benchsuite.backbones.dwnet:dwnet_b_idynamic",
    "focal_t": "benchsuite.backbones.focal:focal_t",
    "focal_s": "benchsuite.backbones.focal:focal_s",
    "focal_b": "benchsuite.backbones.focal:focal_b",
    "lit_ti": "benchsuite.backbones.lit_ti:lit_ti",
    "lit_s": "benchsuite.backbones.lit:lit_s",
    "lit_s_conv": "benchsuite.backbones.lit:lit_s_conv",
    "lit_m": "benchsuite.backbones.lit:lit_m",
    "lit_b": "benchsuite.backbones.lit:lit_b",
    "litv2_s": "benchsuite.backbones.litv2:litv2_s",
    "litv2_m": "benchsuite.backbones.litv2:litv2_m",
    "litv2_b": "benchsuite.backbones.litv2:litv2_b",
    "mixer_s32": "benchsuite.backbones.mixer:mixer_s32",
    "mixer_s16": "benchsuite.backbones.mixer:mixer_s16",
    "mixer_b32": "benchsuite.backbones.mixer:mixer_b32",
    "mixer_b16": "benchsuite.backbones.mixer:mixer_b16",
    "mixer_l32": "benchsuite.backbones.mixer:mixer_l32",
    "mixer_l16": "benchsuite.backbones.mixer:mixer_l16",
    "poolformer_s12": "benchsuite.backbones.poolformer:poolformer_s12",
    "poolformer_s24": "benchsuite.backbones.poolformer:poolformer_s24",
    "poolformer_s36": "benchsuite.backbones.poolformer:poolformer_s36",
    "poolformer_m36": "benchsuite.backbones.poolformer:poolformer_m36",
    "poolformer_m48": "benchsuite.backbones.poolformer:poolformer_m48",
    "pvt_t": "benchsuite.backbones.pvt:pvt_t",
    "pvt_s": "benchsuite.backbones.pvt:pvt_s",
    "pvt_m": "benchsuite.backbones.pvt:pvt_m",
    "pvt_l": "benchsuite.backbones.pvt:pvt_l",
    "pvtv2_b0": "benchsuite.backbones.pvtv2:pvtv2_b0",
    "pvtv2_b1": "benchsuite.backbones.pvtv2:pvtv2_b1",
    "pvtv2_b2": "benchsuite.backbones.pvtv2:pvtv2_b2",
    "pvtv2_b2_linear": "benchsuite.backbones.pvtv2:pvtv2_b2_linear",
    "pvtv2_b3": "benchsuite.backbones.pvtv2:pvtv2_b3",
    "pvtv2_b4": "benchsuite.backbones.pvtv2:pvtv2_b4",
    "pvtv2_b5": "benchsuite.backbones.pvtv2:pvtv2_b5",
    "quadtree_a_b0": "benchsuite.backbones.quadtree:quadtree_a_b0",
    "quadtree_a_b1": "benchsuite.backbones.quadtree:quadtree_a_b1",
    "quadtree_a_b2": "benchsuite.backbones.quadtree:quadtree_a_b2",
    "quadtree_a_b3": "benchsuite.backbones.quadtree:quadtree_a_b3",
    "quadtree_a_b4": "benchsuite.backbones.quadtree:quadtree_a_b4",
    "quadtree_b_b0": "benchsuite.backbones.quadtree:quadtree_b_b0",
    "quadtree_b_b1": "benchsuite.backbones.quadtree:quadtree_b_b1",
    "quadtree_b_b2": "benchsuite.backbones.quadtree:quadtree_b_b2",
    "quadtree_b_b3": "benchsuite.backbones.quadtree:quadtree_b_b3",
    "quadtree_b_b4": "benchsuite.backbones.quadtree:quadtree_b_b4",
    "resnet50": "benchsuite.backbones.resnet:resnet50",
    "swin_t": "benchsuite.backbones.swin:swin_t",
    "swin_s": "benchsuite.backbones.swin:swin_s",
    "swin_b": "benchsuite.backbones.swin:swin_b",
    "twins_pcpvt_s": "benchsuite.backbones.twins:twins_pcpvt_s",
    "twins_pcpvt_b": "benchsuite.backbones.twins:twins_pcpvt_b",
    "twins_pcpvt_l": "benchsuite.backbones.twins:twins_pcpvt_l",
    "twins_svt_s": "benchsuite.backbones.twins:twins_svt_s",
    "twins_svt_b": "benchsuite.backbones.twins:twins_svt_b",
    "twins_svt_l": "benchsuite.backbones.twins:twins_svt_l",
    "volo_d1": "benchsuite.backbones.volo:volo_d1",
    "volo_d2": "benchsuite.backbones.volo:volo_d2",
    "volo_d3": "benchsuite.backbones.volo:volo_d3",
    "volo_d4": "benchsuite.backbones.volo:volo_d4",
    "volo_d5": "benchsuite.backbones.volo:volo_d5",
}

SIZES = {"depth": "depths", "dim": "dims", "num_heads": "num_heads"}
"""Size of a stage → what its values in all stages are called."""
_SIZES_OF: dict[str, tuple[str, ...]] = {
    "vit": ("depth", "dim", "num_heads"),
    "mixer": ("depth", "dim"),
    "resnet": ("depths", *(f"stage{number}.depth" for number in range(1, 5))),
}
"""Files of networks that have no stages, or fixed widths → sizes that can be said of them."""
_OF_STAGES = (*SIZES.values(), *(f"stage{number}.{size}" for number in range(1, 5) for size in SIZES))


class SizeError(ValueError):
    """The network has no such size, or not with this value; says which it has."""


def sizes_of(name: str) -> tuple[str, ...]:
    """Sizes that the builder of a network takes."""
    return _SIZES_OF.get(BACKBONES[name].partition(":")[0].rpartition(".")[2], _OF_STAGES)
