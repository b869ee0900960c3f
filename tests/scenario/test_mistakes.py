"""Every kind of mistake, alone in a file, with the text that names it."""

from __future__ import annotations

import pytest

from .documents import told

ROOT = "name, title, question, subject, sweep, include, exclude, expect, claims, measure, gate, report"
FILTER_AXES = (
    "mixer, resolution, stride, batch, dim, num_heads, dtype, mode, kernel, device, memory_format,\n"
    "    compile, cache, protocol, threads, allocator, tokens, cell, params.NAME"
)

MISTAKES = {
    "an unknown key is named with its line": (
        "swep: 1\nsweep: {mixer: msa}",
        f'f.yaml:3:1  swep\n  unknown key "swep"; did you mean "sweep"?\n  allowed: {ROOT},\n    profiles',
    ),
    "an unknown key of a section": (
        "sweep: {mixer: msa}\nmeasure: {maxs: 3}",
        'f.yaml:4:11  measure.maxs\n  unknown key "maxs"; did you mean "max_s"?\n'
        "  allowed: metrics, warmup_calls, "
        "warmup_s, min_samples, max_samples, max_s, precision, rule, rounds,\n"
        "    max_rounds, order, threads, allocator, seed, check, busy, energy, ceilings, timeout_s, "
        "memory_limit, retry",
    ),
    "an unknown key of a mixer": (
        "sweep: {mixer: [{name: msa, lable: M}]}",
        'f.yaml:3:29  sweep.mixer[0].lable\n  unknown key "lable"; did you mean "label"?\n'
        "  allowed: name, label, call, layout, inputs, params, vary",
    ),
    "a missing section": ("question: why?", "f.yaml:1:1  sweep\n  sweep is missing"),
    "a missing key of a section": ("sweep: {batch: 1}", "f.yaml:3:1  sweep.mixer\n  mixer is missing"),
    "a missing key of a rule": (
        "sweep: {mixer: msa}\nexclude:\n  - {where: batch=2}",
        "f.yaml:5:5  exclude[0].reason\n  reason is missing",
    ),
    "a missing name of a mixer": (
        "sweep:\n  mixer:\n    - {label: x}\n    - msa",
        "f.yaml:5:7  sweep.mixer[0].name\n  name is missing",
    ),
    "a section that is no mapping": (
        "sweep: {mixer: msa}\nmeasure: quick",
        'f.yaml:4:10  measure\n  measure must be a mapping, got "quick"',
    ),
    "a section that is empty": (
        "sweep: {mixer: msa}\nreport:",
        "f.yaml:4:8  report\n  report must be a mapping, got nothing",
    ),
    "a list that is no list": (
        "sweep: {mixer: msa}\ninclude: {batch: 2}",
        'f.yaml:4:10  include\n  include must be a list, got {"batch": 2}',
    ),
    "an entry that is no mapping": (
        "sweep: {mixer: msa}\nexclude: [batch=2]",
        'f.yaml:4:11  exclude[0]\n  an entry of exclude must be a mapping, got "batch=2"',
    ),
    "text that is a number": (
        "question: 2024\nsweep: {mixer: msa}",
        "f.yaml:3:11  question\n  question must be text, got 2024",
    ),
    "an axis of the wrong kind": (
        "sweep: {mixer: msa, batch: lots}",
        'f.yaml:3:28  sweep.batch\n  batch must be a positive whole number, got "lots"',
    ),
    "one value of an axis of the wrong kind": (
        "sweep: {mixer: msa, batch: [1, 0]}",
        "f.yaml:3:32  sweep.batch[1]\n  batch must be a positive whole number, got 0",
    ),
    "a boolean is no number": (
        "sweep: {mixer: msa, stride: true}",
        "f.yaml:3:29  sweep.stride\n  stride must be a positive whole number, got true",
    ),
    "an axis without values": (
        "sweep: {mixer: msa, batch: []}",
        "f.yaml:3:28  sweep.batch\n  batch must be one value or a list of at least one, got []",
    ),
    "a sweep without mixers": (
        "sweep: {mixer: []}",
        "f.yaml:3:16  sweep.mixer\n  mixer must be one value or a list of at least one, got []",
    ),
    "a mixer that is a number": (
        "sweep: {mixer: [msa, 3]}",
        "f.yaml:3:22  sweep.mixer[1]\n  mixer must be a mixer's name or a mapping with a name, got 3",
    ),
    "a label with quotes": (
        "sweep: {mixer: [{name: msa, label: 'a \"b\"'}]}",
        "f.yaml:3:36  sweep.mixer[0].label\n"
        '  label must be one line of text without double quotes, got "a \\"b\\""',
    ),
    "a resolution of three sides": (
        "sweep: {mixer: msa, resolution: [[224, 224, 3]]}",
        "f.yaml:3:34  sweep.resolution[0]\n  resolution must be a side or [height, width] in pixels, "
        "got [224, 224, 3]",
    ),
    "an unknown word of a closed axis": (
        "sweep: {mixer: msa, kernel: [math, mth]}",
        'f.yaml:3:36  sweep.kernel[1]\n  unknown kernel "mth"; did you mean "math"?\n'
        "  allowed: math, sdpa, flash, mem_efficient, cudnn, flex, compiled, auto",
    ),
    "an unknown dtype": (
        "sweep: {mixer: msa, dtype: fp8}",
        'f.yaml:3:28  sweep.dtype\n  unknown dtype "fp8"\n  allowed: fp32, tf32, fp16, bf16, fp64, '
        "autocast_fp16, autocast_bf16",
    ),
    "a device that is none": (
        "sweep: {mixer: msa, device: cuda:x}",
        'f.yaml:3:29  sweep.device\n  device must be auto, cpu, cuda or cuda:N, got "cuda:x"',
    ),
    "an unknown subject": (
        "subject: backbon\nsweep: {mixer: msa}",
        'f.yaml:3:10  subject\n  unknown subject "backbon"; did you mean "backbone"?\n'
        "  allowed: mixer, block, backbone",
    ),
    "an unknown group of metrics": (
        "sweep: {mixer: msa}\nmeasure: {metrics: [latncy]}",
        'f.yaml:4:21  measure.metrics[0]\n  unknown metric "latncy"; did you mean "latency"?\n'
        "  allowed: cost, latency, memory",
    ),
    "an unknown section of the report": (
        "sweep: {mixer: msa}\nreport: {sections: scater}",
        'f.yaml:4:20  report.sections\n  unknown section "scater"; did you mean "scatter"?\n'
        "  allowed: scatter, scaling, kernels, memory, training, table",
    ),
    "a time that is negative": (
        "sweep: {mixer: msa}\nmeasure: {warmup_s: -1}",
        "f.yaml:4:21  measure.warmup_s\n  warmup_s must be a number of seconds, 0 or more, got -1",
    ),
    "a limit that is zero": (
        "sweep: {mixer: msa}\nmeasure: {max_s: 0}",
        "f.yaml:4:18  measure.max_s\n  max_s must be a positive number of seconds, got 0",
    ),
    "a precision in percent": (
        "sweep: {mixer: msa}\nmeasure: {precision: 2}",
        "f.yaml:4:22  measure.precision\n  precision must be a share between 0 and 1, auto or null, got 2",
    ),
    "a precision that few rounds cannot state": (
        "sweep: {mixer: msa}\nmeasure: {rounds: 2, precision: 0.02}",
        "f.yaml:4:19  measure.rounds\n  precision 0.02 is that of an interval between rounds, which needs at "
        "least 3, not 2; leave precision out, or ask for more rounds",
    ),
    "fewer rounds at most than at least": (
        "sweep: {mixer: msa}\nmeasure: {max_rounds: 4}",
        "f.yaml:4:23  measure.max_rounds\n  max_rounds 4 is less than rounds 5",
    ),
    "an allocator said twice": (
        "sweep: {mixer: msa, allocator: [retain, system]}\nmeasure: {allocator: system}",
        "f.yaml:4:22  measure.allocator\n  allocator is an axis of the sweep already; say it in one "
        "of the two places",
    ),
    "an unknown allocator": (
        "sweep: {mixer: msa}\nmeasure: {allocator: jemalloc}",
        'f.yaml:4:22  measure.allocator\n  unknown allocator "jemalloc"\n  allowed: retain, system',
    ),
    "no threads": (
        "sweep: {mixer: msa}\nmeasure: {threads: 0}",
        "f.yaml:4:20  measure.threads\n  threads must be a positive whole number, all or null, got 0",
    ),
    "a fractional seed": (
        "sweep: {mixer: msa}\nmeasure: {seed: 0.5}",
        "f.yaml:4:17  measure.seed\n  seed must be a whole number, 0 or more, got 0.5",
    ),
    "more samples at least than at most": (
        "sweep: {mixer: msa}\nmeasure: {min_samples: 300}",
        "f.yaml:4:24  measure.min_samples\n  max_samples 200 is less than min_samples 300",
    ),
    "fewer samples at most than at least": (
        "sweep: {mixer: msa}\nmeasure: {max_samples: 5}",
        "f.yaml:4:24  measure.max_samples\n  max_samples 5 is less than min_samples 10",
    ),
    "an expectation of success": (
        "sweep: {mixer: msa}\nexpect: [{where: batch=1, status: [oom, ok], reason: r}]",
        'f.yaml:4:41  expect[0].status[1]\n  unknown status "ok"\n'
        "  allowed: oom, timeout, unsupported, mismatch, error, crash",
    ),
    "an unknown mixer": (
        "sweep: {mixer: [msa, hillo]}",
        'f.yaml:3:22  sweep.mixer[1]\n  unknown mixer "hillo"; did you mean "hilo"?\n'
        "  allowed: msa, hilo, pool",
    ),
    "an unknown parameter of a mixer": (
        "sweep: {mixer: [{name: hilo, params: {window_sise: 2}}]}",
        "f.yaml:3:39  sweep.mixer[0].params.window_sise\n"
        '  unknown parameter of mixer "hilo"; did you mean "window_size"?\n'
        "  allowed: alpha, num_heads, window_size",
    ),
    "an unknown parameter to vary": (
        "sweep: {mixer: [{name: pool, vary: {num_heads: [1, 2]}}]}",
        'f.yaml:3:37  sweep.mixer[0].vary.num_heads\n  unknown parameter of mixer "pool"\n'
        "  allowed: pool_size",
    ),
    "a parameter that is an axis": (
        "sweep: {mixer: [{name: hilo, params: {dim: 64}}]}",
        "f.yaml:3:39  sweep.mixer[0].params.dim\n  dim is an axis, not a parameter; write sweep.dim",
    ),
    "a kernel among the parameters of a mixer of one's own": (
        "sweep: {mixer: [{name: 'my.zoo:Mixer', params: {kernel: math, depth: 2}}]}",
        "f.yaml:3:49  sweep.mixer[0].params.kernel\n  kernel is an axis, not a parameter; write sweep.kernel",
    ),
    "a mixer of one's own without a class": (
        "sweep: {mixer: ['my.zoo:']}",
        'f.yaml:3:17  sweep.mixer[0]\n  "my.zoo:" is not of the form package.module:Class',
    ),
    "a number of heads that is none": (
        "sweep: {mixer: [msa, {name: msa, label: m, params: {num_heads: many}}]}",
        "f.yaml:3:64  sweep.mixer[1].params.num_heads\n"
        '  num_heads must be a positive whole number, got "many"',
    ),
    "a value twice": (
        "sweep: {mixer: msa, batch: [1, 2, 1]}",
        "f.yaml:3:35  sweep.batch[2]\n  batch lists 1 twice",
    ),
    "a kernel that is compiled under torch.compile": (
        "sweep: {mixer: msa, kernel: [math, compiled], compile: [eager, default]}",
        "f.yaml:3:64  sweep.compile[1]\n"
        '  compile "default" compiles a whole module, kernel "compiled" a part of it: one of the two; '
        "exclude these cells, or measure the kernel with compile: eager",
    ),
    "a value twice in an include": (
        "sweep: {mixer: msa}\ninclude: [{resolution: [448, [448, 448]]}]",
        "f.yaml:4:30  include[0].resolution[1]\n  resolution lists [448, 448] twice, first as 448",
    ),
    "a status twice": (
        "sweep: {mixer: msa}\nexpect: [{where: batch=1, status: [oom, oom], reason: r}]",
        'f.yaml:4:41  expect[0].status[1]\n  status lists "oom" twice',
    ),
    "a label twice": (
        "sweep: {mixer: [msa, hilo, {name: hilo, label: msa}]}",
        'f.yaml:3:48  sweep.mixer[2].label\n  two mixers are labelled "msa"; give one of them another label',
    ),
    "a label twice by varying": (
        "sweep: {mixer: [{name: hilo, vary: {alpha: [0.5, 0.5]}}]}",
        "f.yaml:3:17  sweep.mixer[0]\n"
        '  two mixers are labelled "hilo alpha=0.5"; give one of them another label',
    ),
    "a resolution that the stride does not divide": (
        "sweep: {mixer: msa, resolution: [224, 225]}",
        "f.yaml:3:39  sweep.resolution[1]\n  resolution 225 is not divisible by stride 16",
    ),
    "a side that the stride does not divide": (
        "sweep: {mixer: msa, resolution: [[224, 230]], stride: [2, 16]}",
        "f.yaml:3:34  sweep.resolution[0]\n  resolution 224x230 is not divisible by stride 16",
    ),
    "a stride that does not divide the default resolution": (
        "sweep: {mixer: msa, stride: [16, 15]}",
        "f.yaml:3:34  sweep.stride[1]\n  resolution 224 is not divisible by stride 15",
    ),
    "an included resolution that the stride does not divide": (
        "sweep: {mixer: msa}\ninclude: [{batch: 2}, {resolution: 100}]",
        "f.yaml:4:36  include[1].resolution\n  resolution 100 is not divisible by stride 16",
    ),
    "heads that do not divide dim": (
        "sweep: {mixer: msa, dim: [384, 192], num_heads: [12, 128]}",
        "f.yaml:3:54  sweep.num_heads[1]\n  num_heads 128 does not divide dim 192",
    ),
    "a dim that the default heads do not divide": (
        "sweep: {mixer: msa, dim: 100}",
        "f.yaml:3:26  sweep.dim\n  num_heads 12 does not divide dim 100",
    ),
    "heads of one mixer that do not divide dim": (
        "sweep: {mixer: [msa, {name: hilo, params: {num_heads: 5}}]}",
        'f.yaml:3:55  sweep.mixer[1].params.num_heads\n  num_heads 5 of mixer "hilo" does not divide dim 384',
    ),
    "varied heads that do not divide dim": (
        "sweep: {mixer: [{name: hilo, vary: {num_heads: [6, 7]}}]}",
        "f.yaml:3:52  sweep.mixer[0].vary.num_heads[1]\n"
        '  num_heads 7 of mixer "hilo num_heads=7" does not divide dim 384',
    ),
    "a scenario of which nothing is left": (
        "sweep: {mixer: [msa, hilo]}\nexclude:\n  - {where: batch=1, reason: r}",
        "f.yaml:4:1  exclude\n  every cell is excluded; nothing is left to measure",
    ),
    "a sweep that explodes": (
        "sweep:\n  mixer: [msa, hilo]\n"
        + "".join(
            f"  {axis}: [{', '.join(map(str, range(1, 41)))}]\n" for axis in ("batch", "dim", "stride")
        ),
        "f.yaml:3:1  sweep\n  128,000 cells before exclusion; at most 100,000 can be run",
    ),
    "a filter with an unknown axis": (
        "sweep: {mixer: msa}\nexclude: [{where: btch=1, reason: r}]",
        'f.yaml:4:19  exclude[0].where\n  unknown axis "btch" in "btch=1"; did you mean "batch"?\n'
        f"  allowed: {FILTER_AXES}",
    ),
    "a filter that is a number": (
        "sweep: {mixer: msa}\nexclude: [{where: 3, reason: r}]",
        "f.yaml:4:19  exclude[0].where\n  where must be a filter such as mixer=hilo resolution<=448, got 3",
    ),
    "a filter that is empty": (
        "sweep: {mixer: msa}\nexclude: [{where: ' ', reason: r}]",
        'f.yaml:4:19  exclude[0].where\n  where must be a filter such as mixer=hilo resolution<=448, got " "',
    ),
    "a filter that speaks of no mixer": (
        "sweep: {mixer: [msa, {name: hilo, label: HiLo, vary: {alpha: [0.5]}}]}\n"
        "expect: [{where: mixer=performer, status: oom, reason: r}]",
        'f.yaml:4:18  expect[0].where\n  no mixer of this scenario is called "performer"\n'
        "  allowed: msa, hilo, HiLo alpha=0.5",
    ),
    "an include of no mixer": (
        "sweep: {mixer: [msa, hilo]}\ninclude: [{mixer: [msa, hlo], batch: 2}]",
        "f.yaml:4:25  include[0].mixer[1]\n"
        '  no mixer of this scenario is called "hlo"; did you mean "hilo"?\n'
        "  allowed: msa, hilo",
    ),
    "a reference that is no label": (
        "sweep: {mixer: [{name: msa, label: MSA}]}\nreport: {reference: msa}",
        'f.yaml:4:21  report.reference\n  no mixer of this scenario is called "msa"\n  allowed: MSA',
    ),
    "profiles that are no mapping": (
        "sweep: {mixer: msa}\nprofiles: [cpu]",
        'f.yaml:4:11  profiles\n  profiles must be a mapping, got ["cpu"]',
    ),
    "a profile that is no mapping": (
        "sweep: {mixer: msa}\nprofiles: {cpu: }",
        'f.yaml:4:16  profiles.cpu\n  profile "cpu" must be a mapping, got nothing',
    ),
    "profiles in a profile": (
        "sweep: {mixer: msa}\nprofiles: {cpu: {profiles: {}}}",
        f'f.yaml:4:18  profiles.cpu.profiles\n  unknown key "profiles"\n  allowed: {ROOT}',
    ),
    "an unknown key in a profile": (
        "sweep: {mixer: msa}\nprofiles: {cpu: {mesure: {}}}",
        f'f.yaml:4:18  profiles.cpu.mesure\n  unknown key "mesure"; did you mean "measure"?\n'
        f"  allowed: {ROOT}",
    ),
    "a wrong value in a profile": (
        "sweep: {mixer: msa}\nprofiles:\n  cpu:\n    sweep: {batch: 0}",
        "f.yaml:6:20  profiles.cpu.sweep.batch\n  batch must be a positive whole number, got 0",
    ),
    "an unknown parameter in a profile": (
        "sweep: {mixer: msa}\nprofiles:\n  cpu:\n    sweep: {mixer: [{name: msa, params: {alpha: 1}}]}",
        'f.yaml:6:42  profiles.cpu.sweep.mixer[0].params.alpha\n  unknown parameter of mixer "msa"\n'
        "  allowed: attn_drop, num_heads, qkv_bias",
    ),
    "a clash that only a profile brings out": (
        "sweep: {mixer: msa, resolution: 240}\nprofiles: {cpu: {sweep: {stride: 32}}}",
        'f.yaml:3:33  sweep.resolution\n  resolution 240 is not divisible by stride 32 (with profile "cpu")',
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_its_place(mistake: str) -> None:
    text, expected = MISTAKES[mistake]
    assert told(text) == [expected]
