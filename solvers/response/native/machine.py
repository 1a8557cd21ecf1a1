"""Modules of LLVM made machine code for this processor, and machine code made callable."""

from __future__ import annotations

import ctypes
from typing import Any

import llvmlite
from llvmlite import binding

from .translation import ENTRY

#: How much LLVM tries: more takes longer, and so does unrolling loops over lanes, for code that is no faster.
LEVEL = 2


def machine() -> Any:
    """The processor that this runs on; who loads code for it owns it."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    triple = binding.get_process_triple()
    return binding.Target.from_triple(triple).create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten(),
        opt=LEVEL,
        reloc="static" if triple.startswith("x86") else "default",
        codemodel="jitdefault",
        jit=True,
    )


def description() -> str:
    """What machine code depends on besides its source."""
    parts = (
        llvmlite.__version__,
        binding.llvm_version_info,
        binding.get_process_triple(),
        binding.get_host_cpu_name(),
        binding.get_host_cpu_features().flatten(),
    )
    return repr(parts)


def machine_code(text: str) -> bytes:
    """The machine code of a module, as an object file."""
    module = binding.parse_assembly(text)
    module.verify()
    options = binding.create_pipeline_tuning_options(LEVEL)
    options.loop_unrolling = options.loop_vectorization = options.slp_vectorization = False
    target = machine()
    passes = binding.create_pass_builder(target, options)
    passes.getModulePassManager().run(module, passes)
    code: bytes = target.emit_object(module)
    return code


class Loaded:
    """Machine code in memory: called with the words of arguments, without Python's lock."""

    def __init__(self, code: bytes):
        self._engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine())
        self._engine.add_object_file(binding.object_file.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        self.call = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(self._engine.get_function_address(ENTRY))
