# Compiled from templates/ by `python -m protoc_gen_dubbo_mesh.template_compiler`. Do not edit.
# mypy: ignore-errors
# pyright: basic
from typing import Any

from protoc_gen_dubbo_mesh.sinks import code as escape
from protoc_gen_dubbo_mesh.template_runtime import (
    TemplateRuntimeError, Undefined, internalcode, missing
)

DIGEST = 2109248500
environment: Any = None

def root_async_servicer_py_j2(context, missing=missing, environment=environment):
    resolve = context.resolve_or_missing
    undefined = environment.undefined
    concat = environment.concat
    cond_expr_undefined = Undefined
    if 0: yield None
    l_0_service = resolve('service')
    l_0_mesh = resolve('mesh')
    l_0_aio = resolve('aio')
    try:
        t_1 = environment.filters['docstring']
    except KeyError:
        @internalcode
        def t_1(*unused):
            raise TemplateRuntimeError("No filter named 'docstring' found.")
    pass
    if environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'deprecated'):
        pass
        yield '@'
        yield escape((undefined(name='mesh') if l_0_mesh is missing else l_0_mesh))
        yield '.deprecated('
        yield escape(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'deprecated'))
        yield ', category=None)\n'
    yield 'class '
    yield escape(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'async_servicer'))
    yield '('
    yield escape((undefined(name='aio') if l_0_aio is missing else l_0_aio))
    yield '.Servicer):\n'
    if environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'comment'):
        pass
        yield escape(t_1(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'comment'), 4))
        yield '\n\n'
    yield '    __mesh__ = '
    yield escape(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'constant'))
    yield '\n'
    for l_1_rpc in environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'rpcs'):
        l_1_async_iterator = resolve('async_iterator')
        _loop_vars = {}
        pass
        yield '\n'
        if environment.getattr(l_1_rpc, 'deprecated'):
            pass
            yield '    @'
            yield escape((undefined(name='mesh') if l_0_mesh is missing else l_0_mesh))
            yield '.deprecated('
            yield escape(environment.getattr(l_1_rpc, 'deprecated'))
            yield ', category=None)\n'
        yield '    '
        if (not environment.getattr(l_1_rpc, 'server_streaming')):
            pass
            yield 'async '
        yield 'def '
        yield escape(environment.getattr(l_1_rpc, 'attribute'))
        yield '(self, '
        if environment.getattr(l_1_rpc, 'client_streaming'):
            pass
            yield 'request_iterator: '
            yield escape((undefined(name='async_iterator') if l_1_async_iterator is missing else l_1_async_iterator))
            yield '['
            yield escape(environment.getattr(environment.getattr(l_1_rpc, 'request'), 'annotation'))
            yield ']'
        else:
            pass
            yield 'request: '
            yield escape(environment.getattr(environment.getattr(l_1_rpc, 'request'), 'annotation'))
        yield ', context: '
        yield escape((undefined(name='aio') if l_0_aio is missing else l_0_aio))
        yield '.ServicerContext) -> '
        if environment.getattr(l_1_rpc, 'server_streaming'):
            pass
            yield escape((undefined(name='async_iterator') if l_1_async_iterator is missing else l_1_async_iterator))
            yield '['
            yield escape(environment.getattr(environment.getattr(l_1_rpc, 'response'), 'annotation'))
            yield ']'
        else:
            pass
            yield escape(environment.getattr(environment.getattr(l_1_rpc, 'response'), 'annotation'))
        yield ':\n'
        if environment.getattr(l_1_rpc, 'comment'):
            pass
            yield escape(t_1(environment.getattr(l_1_rpc, 'comment'), 8))
            yield '\n'
        if environment.getattr(l_1_rpc, 'server_streaming'):
            pass
            yield '        return '
            yield escape((undefined(name='aio') if l_0_aio is missing else l_0_aio))
            yield '.unimplemented_stream(context, '
            yield escape(environment.getattr(l_1_rpc, 'path'))
            yield ')\n'
        else:
            pass
            yield '        await '
            yield escape((undefined(name='aio') if l_0_aio is missing else l_0_aio))
            yield '.unimplemented(context, '
            yield escape(environment.getattr(l_1_rpc, 'path'))
            yield ')\n'
    l_1_rpc = l_1_async_iterator = missing

def root_async_stub_py_j2(context, missing=missing, environment=environment):
    resolve = context.resolve_or_missing
    undefined = environment.undefined
    concat = environment.concat
    cond_expr_undefined = Undefined
    if 0: yield None
    l_0_service = resolve('service')
    l_0_mesh = resolve('mesh')
    l_0_aio = resolve('aio')
    l_0_module = resolve('module')
    try:
        t_1 = environment.filters['docstring']
    except KeyError:
        @internalcode
        def t_1(*unused):
            raise TemplateRuntimeError("No filter named 'docstring' found.")
    try:
        t_2 = environment.filters['literal']
    except KeyError:
        @internalcode
        def t_2(*unused):
            raise TemplateRuntimeError("No filter named 'literal' found.")
    pass
    if environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'deprecated'):
        pass
        yield '@'
        yield escape((undefined(name='mesh') if l_0_mesh is missing else l_0_mesh))
        yield '.deprecated('
        yield escape(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'deprecated'))
        yield ')\n'
    yield 'class '
    yield escape(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'async_stub'))
    yield '('
    yield escape((undefined(name='aio') if l_0_aio is missing else l_0_aio))
    yield '.Stub'
    if environment.getattr((undefined(name='module') if l_0_module is missing else l_0_module), 'sync'):
        pass
        yield ', twin='
        yield escape(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'stub'))
    yield '):\n'
    if environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'comment'):
        pass
        yield escape(t_1(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'comment'), 4))
        yield '\n\n'
    yield '    __mesh__ = '
    yield escape(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'constant'))
    yield '\n'
    for l_1_rpc in environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'rpcs'):
        l_1_property = resolve('property')
        _loop_vars = {}
        pass
        yield '\n'
        if environment.getattr(l_1_rpc, 'deprecated'):
            pass
            yield '    @'
            yield escape((undefined(name='property') if l_1_property is missing else l_1_property))
            yield '\n    @'
            yield escape((undefined(name='mesh') if l_0_mesh is missing else l_0_mesh))
            yield '.deprecated('
            yield escape(environment.getattr(l_1_rpc, 'deprecated'))
            yield ')\n    def '
            yield escape(environment.getattr(l_1_rpc, 'attribute'))
            yield '(self) -> '
            yield escape((undefined(name='aio') if l_0_aio is missing else l_0_aio))
            yield '.'
            yield escape(environment.getattr(l_1_rpc, 'shape'))
            yield '['
            yield escape(environment.getattr(environment.getattr(l_1_rpc, 'request'), 'annotation'))
            yield ', '
            yield escape(environment.getattr(environment.getattr(l_1_rpc, 'response'), 'annotation'))
            yield ']:\n'
            if environment.getattr(l_1_rpc, 'comment'):
                pass
                yield escape(t_1(environment.getattr(l_1_rpc, 'comment'), 8))
                yield '\n'
            yield '        return '
            yield escape((undefined(name='mesh') if l_0_mesh is missing else l_0_mesh))
            yield '.rpc(self, '
            yield escape(t_2(environment.getattr(l_1_rpc, 'attribute')))
            yield ')\n'
        else:
            pass
            yield '    '
            yield escape(environment.getattr(l_1_rpc, 'attribute'))
            yield ': '
            yield escape((undefined(name='aio') if l_0_aio is missing else l_0_aio))
            yield '.'
            yield escape(environment.getattr(l_1_rpc, 'shape'))
            yield '['
            yield escape(environment.getattr(environment.getattr(l_1_rpc, 'request'), 'annotation'))
            yield ', '
            yield escape(environment.getattr(environment.getattr(l_1_rpc, 'response'), 'annotation'))
            yield ']\n'
            if environment.getattr(l_1_rpc, 'comment'):
                pass
                yield escape(t_1(environment.getattr(l_1_rpc, 'comment'), 4))
                yield '\n'
    l_1_rpc = l_1_property = missing

def root_module_py_j2(context, missing=missing, environment=environment):
    resolve = context.resolve_or_missing
    undefined = environment.undefined
    concat = environment.concat
    cond_expr_undefined = Undefined
    if 0: yield None
    l_0_module = resolve('module')
    l_0_mesh = resolve('mesh')
    try:
        t_1 = environment.filters['comment']
    except KeyError:
        @internalcode
        def t_1(*unused):
            raise TemplateRuntimeError("No filter named 'comment' found.")
    try:
        t_2 = environment.filters['docstring']
    except KeyError:
        @internalcode
        def t_2(*unused):
            raise TemplateRuntimeError("No filter named 'docstring' found.")
    pass
    yield '# Generated by protoc-gen-dubbo-mesh from '
    yield escape(t_1(environment.getattr((undefined(name='module') if l_0_module is missing else l_0_module), 'source')))
    yield '. Do not edit.\n'
    if environment.getattr((undefined(name='module') if l_0_module is missing else l_0_module), 'uses_deprecated'):
        pass
        yield '# pyright: reportDeprecated=false\n# mypy: disable-error-code="deprecated"\n'
    if environment.getattr((undefined(name='module') if l_0_module is missing else l_0_module), 'comment'):
        pass
        yield escape(t_2(environment.getattr((undefined(name='module') if l_0_module is missing else l_0_module), 'comment')))
        yield '\n'
    yield '\nfrom __future__ import annotations\n\n'
    for l_1_block in environment.getattr((undefined(name='module') if l_0_module is missing else l_0_module), 'imports'):
        _loop_vars = {}
        pass
        for l_2_statement in l_1_block:
            _loop_vars = {}
            pass
            yield escape(l_2_statement)
            yield '\n'
        l_2_statement = missing
        yield '\n'
    l_1_block = missing
    for (l_1_name, l_1_arguments) in environment.getattr((undefined(name='module') if l_0_module is missing else l_0_module), 'loads'):
        l_1_import_module = resolve('import_module')
        _loop_vars = {}
        pass
        yield escape(l_1_name)
        yield ' = '
        yield escape((undefined(name='import_module') if l_1_import_module is missing else l_1_import_module))
        yield '('
        yield escape(l_1_arguments)
        yield ')\n'
    l_1_name = l_1_arguments = l_1_import_module = missing
    if environment.getattr((undefined(name='module') if l_0_module is missing else l_0_module), 'loads'):
        pass
        yield '\n'
    yield escape((undefined(name='mesh') if l_0_mesh is missing else l_0_mesh))
    yield '.require_api(1, __name__)\n'
    for l_1_service in environment.getattr((undefined(name='module') if l_0_module is missing else l_0_module), 'services'):
        _loop_vars = {}
        pass
        yield '\n\n'
        template = environment.get_template('service.py.j2', 'module.py.j2')
        gen = template.root_render_func(template.new_context(context.get_all(), True, {'service': l_1_service}))
        try:
            for event in gen:
                yield event
        finally: gen.close()
        if environment.getattr((undefined(name='module') if l_0_module is missing else l_0_module), 'sync'):
            pass
            yield '\n\n'
            template = environment.get_template('stub.py.j2', 'module.py.j2')
            gen = template.root_render_func(template.new_context(context.get_all(), True, {'service': l_1_service}))
            try:
                for event in gen:
                    yield event
            finally: gen.close()
        if environment.getattr((undefined(name='module') if l_0_module is missing else l_0_module), 'aio'):
            pass
            yield '\n\n'
            template = environment.get_template('async_stub.py.j2', 'module.py.j2')
            gen = template.root_render_func(template.new_context(context.get_all(), True, {'service': l_1_service}))
            try:
                for event in gen:
                    yield event
            finally: gen.close()
        if environment.getattr((undefined(name='module') if l_0_module is missing else l_0_module), 'sync'):
            pass
            yield '\n\n'
            template = environment.get_template('servicer.py.j2', 'module.py.j2')
            gen = template.root_render_func(template.new_context(context.get_all(), True, {'service': l_1_service}))
            try:
                for event in gen:
                    yield event
            finally: gen.close()
        if environment.getattr((undefined(name='module') if l_0_module is missing else l_0_module), 'aio'):
            pass
            yield '\n\n'
            template = environment.get_template('async_servicer.py.j2', 'module.py.j2')
            gen = template.root_render_func(template.new_context(context.get_all(), True, {'service': l_1_service}))
            try:
                for event in gen:
                    yield event
            finally: gen.close()
        yield '\n\n'
        template = environment.get_template('register.py.j2', 'module.py.j2')
        gen = template.root_render_func(template.new_context(context.get_all(), True, {'service': l_1_service}))
        try:
            for event in gen:
                yield event
        finally: gen.close()
    l_1_service = missing

def root_register_py_j2(context, missing=missing, environment=environment):
    resolve = context.resolve_or_missing
    undefined = environment.undefined
    concat = environment.concat
    cond_expr_undefined = Undefined
    if 0: yield None
    l_0_service = resolve('service')
    l_0_module = resolve('module')
    l_0_grpc = resolve('grpc')
    l_0_mesh = resolve('mesh')
    pass
    yield 'def '
    yield escape(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'register'))
    yield '(servicer: '
    if environment.getattr((undefined(name='module') if l_0_module is missing else l_0_module), 'sync'):
        pass
        yield escape(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'servicer'))
    if (environment.getattr((undefined(name='module') if l_0_module is missing else l_0_module), 'sync') and environment.getattr((undefined(name='module') if l_0_module is missing else l_0_module), 'aio')):
        pass
        yield ' | '
    if environment.getattr((undefined(name='module') if l_0_module is missing else l_0_module), 'aio'):
        pass
        yield escape(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'async_servicer'))
    yield ', server: '
    yield escape((undefined(name='grpc') if l_0_grpc is missing else l_0_grpc))
    yield '.Server | '
    yield escape((undefined(name='grpc') if l_0_grpc is missing else l_0_grpc))
    yield '.aio.Server) -> None:\n    """Serves `servicer` on `server`, with its health and request context."""\n    '
    yield escape((undefined(name='mesh') if l_0_mesh is missing else l_0_mesh))
    yield '.add_servicer(servicer, server, '
    yield escape(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'constant'))
    yield ')\n'

def root_service_py_j2(context, missing=missing, environment=environment):
    resolve = context.resolve_or_missing
    undefined = environment.undefined
    concat = environment.concat
    cond_expr_undefined = Undefined
    if 0: yield None
    l_0_service = resolve('service')
    l_0_mesh = resolve('mesh')
    try:
        t_1 = environment.filters['arguments']
    except KeyError:
        @internalcode
        def t_1(*unused):
            raise TemplateRuntimeError("No filter named 'arguments' found.")
    try:
        t_2 = environment.filters['literal']
    except KeyError:
        @internalcode
        def t_2(*unused):
            raise TemplateRuntimeError("No filter named 'literal' found.")
    pass
    yield escape(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'constant'))
    yield ' = '
    yield escape((undefined(name='mesh') if l_0_mesh is missing else l_0_mesh))
    yield '.Service(\n    '
    yield escape(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'full_name'))
    yield ',\n'
    for l_1_rpc in environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'rpcs'):
        _loop_vars = {}
        pass
        yield '    '
        yield escape((undefined(name='mesh') if l_0_mesh is missing else l_0_mesh))
        yield '.Method(\n        '
        yield escape(environment.getattr(l_1_rpc, 'path'))
        yield ',\n        '
        yield escape(environment.getattr(environment.getattr(l_1_rpc, 'request'), 'value'))
        yield ',\n        '
        yield escape(environment.getattr(environment.getattr(l_1_rpc, 'response'), 'value'))
        yield ',\n'
        if environment.getattr(l_1_rpc, 'renamed'):
            pass
            yield '        attribute='
            yield escape(t_2(environment.getattr(l_1_rpc, 'attribute')))
            yield ',\n'
        if environment.getattr(l_1_rpc, 'client_streaming'):
            pass
            yield '        client_streaming=True,\n'
        if environment.getattr(l_1_rpc, 'server_streaming'):
            pass
            yield '        server_streaming=True,\n'
        if environment.getattr(l_1_rpc, 'envoy'):
            pass
            yield '        envoy='
            yield escape((undefined(name='mesh') if l_0_mesh is missing else l_0_mesh))
            yield '.EnvoyHeaders('
            yield escape(t_1(environment.getattr(l_1_rpc, 'envoy')))
            yield '),\n'
        yield '    ),\n'
    l_1_rpc = missing
    for (l_1_name, l_1_value) in environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'identity'):
        _loop_vars = {}
        pass
        yield '    '
        yield escape(l_1_name)
        yield '='
        yield escape(l_1_value)
        yield ',\n'
    l_1_name = l_1_value = missing
    yield ')\n'

def root_servicer_py_j2(context, missing=missing, environment=environment):
    resolve = context.resolve_or_missing
    undefined = environment.undefined
    concat = environment.concat
    cond_expr_undefined = Undefined
    if 0: yield None
    l_0_service = resolve('service')
    l_0_mesh = resolve('mesh')
    try:
        t_1 = environment.filters['docstring']
    except KeyError:
        @internalcode
        def t_1(*unused):
            raise TemplateRuntimeError("No filter named 'docstring' found.")
    pass
    if environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'deprecated'):
        pass
        yield '@'
        yield escape((undefined(name='mesh') if l_0_mesh is missing else l_0_mesh))
        yield '.deprecated('
        yield escape(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'deprecated'))
        yield ', category=None)\n'
    yield 'class '
    yield escape(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'servicer'))
    yield '('
    yield escape((undefined(name='mesh') if l_0_mesh is missing else l_0_mesh))
    yield '.Servicer):\n'
    if environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'comment'):
        pass
        yield escape(t_1(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'comment'), 4))
        yield '\n\n'
    yield '    __mesh__ = '
    yield escape(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'constant'))
    yield '\n'
    for l_1_rpc in environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'rpcs'):
        l_1_iterator = resolve('iterator')
        l_1_grpc = resolve('grpc')
        _loop_vars = {}
        pass
        yield '\n'
        if environment.getattr(l_1_rpc, 'deprecated'):
            pass
            yield '    @'
            yield escape((undefined(name='mesh') if l_0_mesh is missing else l_0_mesh))
            yield '.deprecated('
            yield escape(environment.getattr(l_1_rpc, 'deprecated'))
            yield ', category=None)\n'
        yield '    def '
        yield escape(environment.getattr(l_1_rpc, 'attribute'))
        yield '(self, '
        if environment.getattr(l_1_rpc, 'client_streaming'):
            pass
            yield 'request_iterator: '
            yield escape((undefined(name='iterator') if l_1_iterator is missing else l_1_iterator))
            yield '['
            yield escape(environment.getattr(environment.getattr(l_1_rpc, 'request'), 'annotation'))
            yield ']'
        else:
            pass
            yield 'request: '
            yield escape(environment.getattr(environment.getattr(l_1_rpc, 'request'), 'annotation'))
        yield ', context: '
        yield escape((undefined(name='grpc') if l_1_grpc is missing else l_1_grpc))
        yield '.ServicerContext) -> '
        if environment.getattr(l_1_rpc, 'server_streaming'):
            pass
            yield escape((undefined(name='iterator') if l_1_iterator is missing else l_1_iterator))
            yield '['
            yield escape(environment.getattr(environment.getattr(l_1_rpc, 'response'), 'annotation'))
            yield ']'
        else:
            pass
            yield escape(environment.getattr(environment.getattr(l_1_rpc, 'response'), 'annotation'))
        yield ':\n'
        if environment.getattr(l_1_rpc, 'comment'):
            pass
            yield escape(t_1(environment.getattr(l_1_rpc, 'comment'), 8))
            yield '\n'
        yield '        '
        yield escape((undefined(name='mesh') if l_0_mesh is missing else l_0_mesh))
        yield '.unimplemented(context, '
        yield escape(environment.getattr(l_1_rpc, 'path'))
        yield ')\n'
    l_1_rpc = l_1_iterator = l_1_grpc = missing

def root_stub_py_j2(context, missing=missing, environment=environment):
    resolve = context.resolve_or_missing
    undefined = environment.undefined
    concat = environment.concat
    cond_expr_undefined = Undefined
    if 0: yield None
    l_0_service = resolve('service')
    l_0_mesh = resolve('mesh')
    l_0_module = resolve('module')
    try:
        t_1 = environment.filters['docstring']
    except KeyError:
        @internalcode
        def t_1(*unused):
            raise TemplateRuntimeError("No filter named 'docstring' found.")
    try:
        t_2 = environment.filters['literal']
    except KeyError:
        @internalcode
        def t_2(*unused):
            raise TemplateRuntimeError("No filter named 'literal' found.")
    pass
    if environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'deprecated'):
        pass
        yield '@'
        yield escape((undefined(name='mesh') if l_0_mesh is missing else l_0_mesh))
        yield '.deprecated('
        yield escape(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'deprecated'))
        yield ')\n'
    if environment.getattr((undefined(name='module') if l_0_module is missing else l_0_module), 'aio'):
        pass
        yield 'class '
        yield escape(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'stub'))
        yield '('
        yield escape((undefined(name='mesh') if l_0_mesh is missing else l_0_mesh))
        yield '.Stub['
        yield escape(t_2(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'async_stub')))
        yield ']):\n'
    else:
        pass
        yield 'class '
        yield escape(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'stub'))
        yield '('
        yield escape((undefined(name='mesh') if l_0_mesh is missing else l_0_mesh))
        yield '.SyncStub):\n'
    if environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'comment'):
        pass
        yield escape(t_1(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'comment'), 4))
        yield '\n\n'
    yield '    __mesh__ = '
    yield escape(environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'constant'))
    yield '\n'
    for l_1_rpc in environment.getattr((undefined(name='service') if l_0_service is missing else l_0_service), 'rpcs'):
        l_1_property = resolve('property')
        _loop_vars = {}
        pass
        yield '\n'
        if environment.getattr(l_1_rpc, 'deprecated'):
            pass
            yield '    @'
            yield escape((undefined(name='property') if l_1_property is missing else l_1_property))
            yield '\n    @'
            yield escape((undefined(name='mesh') if l_0_mesh is missing else l_0_mesh))
            yield '.deprecated('
            yield escape(environment.getattr(l_1_rpc, 'deprecated'))
            yield ')\n    def '
            yield escape(environment.getattr(l_1_rpc, 'attribute'))
            yield '(self) -> '
            yield escape((undefined(name='mesh') if l_0_mesh is missing else l_0_mesh))
            yield '.'
            yield escape(environment.getattr(l_1_rpc, 'shape'))
            yield '['
            yield escape(environment.getattr(environment.getattr(l_1_rpc, 'request'), 'annotation'))
            yield ', '
            yield escape(environment.getattr(environment.getattr(l_1_rpc, 'response'), 'annotation'))
            yield ']:\n'
            if environment.getattr(l_1_rpc, 'comment'):
                pass
                yield escape(t_1(environment.getattr(l_1_rpc, 'comment'), 8))
                yield '\n'
            yield '        return '
            yield escape((undefined(name='mesh') if l_0_mesh is missing else l_0_mesh))
            yield '.rpc(self, '
            yield escape(t_2(environment.getattr(l_1_rpc, 'attribute')))
            yield ')\n'
        else:
            pass
            yield '    '
            yield escape(environment.getattr(l_1_rpc, 'attribute'))
            yield ': '
            yield escape((undefined(name='mesh') if l_0_mesh is missing else l_0_mesh))
            yield '.'
            yield escape(environment.getattr(l_1_rpc, 'shape'))
            yield '['
            yield escape(environment.getattr(environment.getattr(l_1_rpc, 'request'), 'annotation'))
            yield ', '
            yield escape(environment.getattr(environment.getattr(l_1_rpc, 'response'), 'annotation'))
            yield ']\n'
            if environment.getattr(l_1_rpc, 'comment'):
                pass
                yield escape(t_1(environment.getattr(l_1_rpc, 'comment'), 4))
                yield '\n'
    l_1_rpc = l_1_property = missing

ROOTS: dict[str, Any] = {
    'async_servicer.py.j2': root_async_servicer_py_j2,
    'async_stub.py.j2': root_async_stub_py_j2,
    'module.py.j2': root_module_py_j2,
    'register.py.j2': root_register_py_j2,
    'service.py.j2': root_service_py_j2,
    'servicer.py.j2': root_servicer_py_j2,
    'stub.py.j2': root_stub_py_j2,
}
