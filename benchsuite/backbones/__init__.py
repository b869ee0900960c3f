"""The papers' networks, exact to the parameter, with the mixer of a stage as an argument.

A row names a function `(*, num_classes=1000, resolution=224, kernel="math", mixer=None) → nn.Module` whose
`forward` makes logits (B, num_classes) of images (B, 3, H, W). `mixer` says what mixes in a stage in place of
what the paper has: {"stage3": "sra"}, {"all": {"name": "hilo", "params": {"alpha": 0.5}}}. Stochastic depth,
which does nothing in inference, is left out everywhere.

A network's file has its builders, and, where its authors released code, `PORTS`: class of theirs →
`NetworkPort`. Networks of stages are configurations of `_hierarchy.py`. To add one, write its file and one line
here.
"""

from __future__ import annotations

BACKBONES: dict[str, str] = {
    "davit_t": "benchsuite.backbones.davit:davit_t",
    "davit_s": "benchsuite.backbones.davit:davit_s",
    "davit_b": "benchsuite.backbones.davit:davit_b",
    "davit_l": "benchsuite.backbones.davit:davit_l",
    "davit_h": "benchsuite.backbones.davit:davit_h",
    "davit_h_overlap": "benchsuite.backbones.davit:davit_h_overlap",
    "davit_g": "benchsuite.backbones.davit:davit_g",
    "davit_g_overlap": "benchsuite.backbones.davit:davit_g_overlap",
    "dwnet_t": "benchsuite.backbones.dwnet:dwnet_t",
    "dwnet_t_dynamic": "benchsuite.backbones.dwnet:dwnet_t_dynamic",
    "dwnet_t_idynamic": "benchsuite.backbones.dwnet:dwnet_t_idynamic",
    "dwnet_b": "benchsuite.backbones.dwnet:dwnet_b",
    "dwnet_b_dynamic": "benchsuite.backbones.dwnet:dwnet_b_dynamic",
    "dwnet_b_idynamic": "benchsuite.backbones.dwnet:dwnet_b_idynamic",
    "lit_ti": "benchsuite.backbones.lit_ti:lit_ti",
    "lit_s": "benchsuite.backbones.lit:lit_s",
    "lit_s_conv": "benchsuite.backbones.lit:lit_s_conv",
    "lit_m": "benchsuite.backbones.lit:lit_m",
    "lit_b": "benchsuite.backbones.lit:lit_b",
    "litv2_s": "benchsuite.backbones.litv2:litv2_s",
    "litv2_m": "benchsuite.backbones.litv2:litv2_m",
    "litv2_b": "benchsuite.backbones.litv2:litv2_b",
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
    "swin_t": "benchsuite.backbones.swin:swin_t",
    "swin_s": "benchsuite.backbones.swin:swin_s",
    "swin_b": "benchsuite.backbones.swin:swin_b",
    "twins_pcpvt_s": "benchsuite.backbones.twins:twins_pcpvt_s",
    "twins_pcpvt_b": "benchsuite.backbones.twins:twins_pcpvt_b",
    "twins_pcpvt_l": "benchsuite.backbones.twins:twins_pcpvt_l",
    "twins_svt_s": "benchsuite.backbones.twins:twins_svt_s",
    "twins_svt_b": "benchsuite.backbones.twins:twins_svt_b",
    "twins_svt_l": "benchsuite.backbones.twins:twins_svt_l",
}
