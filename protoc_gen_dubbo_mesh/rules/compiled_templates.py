# Compiled from templates/rules/ by `python -m protoc_gen_dubbo_mesh.compile_templates`. Do not edit.
# mypy: ignore-errors
# pyright: basic
from typing import Any

from protoc_gen_dubbo_mesh.yaml.escaping import comment, comment_block, flow, flow_mapping, note
from protoc_gen_dubbo_mesh.yaml.escaping import scalar as escape

DIGEST = 3562852367

def root_authorization_policy_yaml_j2(context):
    text = []
    resolve = context.resolve_or_missing
    l_0_file = resolve('file')
    text += ('---\n# Calls that Dubbo denies, at the pods of the app: callers cannot get past it.\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata:\n  name: ', escape(l_0_file.denial_name), '\n')
    text.append(root_namespace_yaml_j2(context.within({})))
    text += ('spec:\n  selector:\n    matchLabels:\n',)
    for l_1_key, l_1_value in l_0_file.selector:
        text += ('      ', escape(l_1_key), ': ', escape(l_1_value), '\n')
    text += ('  action: DENY\n  rules:\n',)
    for l_1_denial in l_0_file.denials:
        for l_2_line in l_1_denial.comments:
            text += ('    # ', comment(l_2_line), '\n')
        text += ('    - to:\n        - operation:\n            ports: ', flow(l_1_denial.ports), '  # on others, such as those of TCP, paths would not count\n')
        if l_1_denial.paths:
            text += ('            paths: ', flow(l_1_denial.paths), '\n')
        if l_1_denial.not_paths:
            text += ('            notPaths: ', flow(l_1_denial.not_paths), '\n')
        if ((l_1_denial.principals or l_1_denial.not_principals) or l_1_denial.ip_blocks) or l_1_denial.not_ip_blocks:
            text += ('      from:\n        - source:\n',)
            if l_1_denial.principals:
                text += ('            principals: ', flow(l_1_denial.principals), '\n')
            if l_1_denial.not_principals:
                text += ('            notPrincipals: ', flow(l_1_denial.not_principals), '\n')
            if l_1_denial.ip_blocks:
                text += ('            ipBlocks: ', flow(l_1_denial.ip_blocks), '\n')
            if l_1_denial.not_ip_blocks:
                text += ('            notIpBlocks: ', flow(l_1_denial.not_ip_blocks), '\n')
    return ''.join(text)

def root_destination_rule_yaml_j2(context):
    text = []
    resolve = context.resolve_or_missing
    l_0_file = resolve('file')
    text += ("---\n# Calls are HTTP/2, also if the Service's port is one for plain HTTP (name or appProtocol http).\n# For this host it replaces DestinationRules for the whole mesh: Istio does not merge them.\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata:\n  name: ", escape(l_0_file.name), '\n')
    text.append(root_namespace_yaml_j2(context.within({})))
    text += ('spec:\n  host: ', escape(l_0_file.name), '\n  trafficPolicy:\n    connectionPool:\n      http:\n        h2UpgradePolicy: UPGRADE\n')
    if l_0_file.policy.max_requests:
        text += ('        http2MaxRequests: ', escape(l_0_file.policy.max_requests), '\n')
    if (l_0_file.policy.simple or l_0_file.policy.prefer) or l_0_file.policy.warmup:
        text += ('    loadBalancer:\n',)
        if l_0_file.policy.simple:
            text += ('      simple: ', escape(l_0_file.policy.simple), '\n')
        if l_0_file.policy.warmup:
            text += ('      warmup:\n        duration: ', escape(l_0_file.policy.warmup), '\n')
        if l_0_file.policy.prefer:
            text += ('      localityLbSetting:\n        enabled: true\n        failoverPriority:\n',)
            for l_1_wish in l_0_file.policy.prefer:
                text += ('          - ', escape(l_1_wish), '\n')
    if l_0_file.policy.outliers:
        text += ('    outlierDetection:\n',)
        for l_1_field, l_1_value in l_0_file.policy.outliers:
            text += ('      ', escape(l_1_field), ': ', escape(l_1_value), '\n')
    if l_0_file.subsets:
        text += ('  subsets:\n',)
        for l_1_subset in l_0_file.subsets:
            for l_2_line in l_1_subset.comments:
                text += ('    # ', comment(l_2_line), '\n')
            text += ('    - name: ', escape(l_1_subset.name), '\n')
            if l_1_subset.labels:
                text += ('      labels:\n',)
                for l_2_key, l_2_value in l_1_subset.labels:
                    text += ('        ', escape(l_2_key), ': ', escape(l_2_value), '\n')
            if l_1_subset.prefer:
                text += ('      trafficPolicy:\n        loadBalancer:\n          localityLbSetting:\n            enabled: true\n            failoverPriority:\n',)
                for l_2_wish in l_1_subset.prefer:
                    text += ('              - ', escape(l_2_wish), '\n')
                text += ('        outlierDetection:  # without it Istio ignores failoverPriority\n          consecutive5xxErrors: 5\n          interval: 10s\n          baseEjectionTime: 30s\n          maxEjectionPercent: 100  # default: 10, with which a lone pod is never left out\n',)
    return ''.join(text)

def root_host_yaml_j2(context):
    text = []
    resolve = context.resolve_or_missing
    l_0_file = resolve('file')
    text += ('# @generated by protoc-gen-dubbo-mesh rules from ', comment(l_0_file.sources), '. Do not edit.\n#\n# Calls to the app ', comment(l_0_file.name), ", by Dubbo's rules as ", comment(l_0_file.dialect), ' reads them.\n')
    if l_0_file.emitted:
        text += ('#\n# It has all of ', comment(l_0_file.emitted.path), ', which emit=istio writes, and replaces it: do not apply both.\n')
    if l_0_file.pod_labels:
        text += ('#\n# It relies on labels of pods, with the values that instances have as parameters in Dubbo:\n',)
        for l_1_key, l_1_values in l_0_file.pod_labels:
            text += ('#     ', comment(l_1_key), ': ', comment(l_1_values), '\n')
    text += ('#\n',)
    if l_0_file.namespace is None:
        text += ('#     kubectl apply --namespace NAMESPACE -f ', comment(l_0_file.path), '\n')
    else:
        text += ('#     kubectl apply -f ', comment(l_0_file.path), '\n')
    if l_0_file.routes:
        text.append(root_virtual_service_yaml_j2(context.within({})))
    if l_0_file.has_destination_rule:
        text.append(root_destination_rule_yaml_j2(context.within({})))
    if l_0_file.denials:
        text.append(root_authorization_policy_yaml_j2(context.within({})))
    if l_0_file.access_log:
        text.append(root_telemetry_yaml_j2(context.within({})))
    return ''.join(text)

def root_match_yaml_j2(context):
    text = []
    resolve = context.resolve_or_missing
    l_0_match = resolve('match')
    for l_1_field in l_0_match:
        if l_1_field.is_first and l_1_field.number:
            text += ('        - ', escape(l_1_field.name), ': ', escape(l_1_field.number), '\n')
        if l_1_field.is_first and (not l_1_field.number):
            text += ('        - ', escape(l_1_field.name), ':\n')
        if not l_1_field.is_first and l_1_field.number:
            text += ('          ', escape(l_1_field.name), ': ', escape(l_1_field.number), '\n')
        if not l_1_field.is_first and (not l_1_field.number):
            text += ('          ', escape(l_1_field.name), ':\n')
        for l_2_key, l_2_value in l_1_field.pairs:
            text += ('            ', escape(l_2_key), ': ', escape(l_2_value), '\n')
        for l_2_name, l_2_wanted in l_1_field.headers:
            if l_2_wanted:
                text += ('            ', escape(l_2_name), ':\n              ', escape(l_2_wanted.kind), ': ', escape(l_2_wanted.value), '\n')
            else:
                text += ('            ', escape(l_2_name), ': {}\n')
    return ''.join(text)

def root_namespace_yaml_j2(context):
    text = []
    resolve = context.resolve_or_missing
    l_0_file = resolve('file')
    if l_0_file.namespace:
        text += ('  namespace: ', escape(l_0_file.namespace), '\n')
    return ''.join(text)

def root_telemetry_yaml_j2(context):
    text = []
    resolve = context.resolve_or_missing
    l_0_file = resolve('file')
    text += ('---\n# The pods of the app log their requests (accesslog).\napiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata:\n  name: ', escape(l_0_file.telemetry_name), '\n')
    text.append(root_namespace_yaml_j2(context.within({})))
    text += ('spec:\n  selector:\n    matchLabels:\n',)
    for l_1_key, l_1_value in l_0_file.selector:
        text += ('      ', escape(l_1_key), ': ', escape(l_1_value), '\n')
    text += ('  accessLogging:\n    - match:\n        mode: SERVER\n      providers:\n        - name: envoy\n',)
    return ''.join(text)

def root_virtual_service_yaml_j2(context):
    text = []
    resolve = context.resolve_or_missing
    l_0_file = resolve('file')
    text += ("---\n# The first route that matches is in force. All of Dubbo's conditions count, so routes for what several of them hold for\n# come first.\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: ", escape(l_0_file.name), '\n')
    text.append(root_namespace_yaml_j2(context.within({})))
    text += ('spec:\n  hosts:\n    - ', escape(l_0_file.name), '\n  http:\n')
    for l_1_route in l_0_file.routes:
        for l_2_line in l_1_route.comments:
            text += ('    # ', comment(l_2_line), '\n')
        text += ('    - name: ', escape(l_1_route.name), '\n')
        if l_1_route.matches:
            text += ('      match:\n',)
            for l_2_match in l_1_route.match_fields:
                text.append(root_match_yaml_j2(context.within({'match': l_2_match, 'route': l_1_route})))
        if l_1_route.status:
            text += ('      directResponse:\n        status: ', escape(l_1_route.status), '\n')
        else:
            text += ('      route:\n',)
            for l_2_destination in l_1_route.destinations:
                text += ('        - destination:\n            host: ', escape(l_0_file.name), '\n')
                if l_2_destination.port:
                    text += ('            port:\n              number: ', escape(l_2_destination.port), '\n')
                if l_2_destination.subset:
                    text += ('            subset: ', escape(l_2_destination.subset), '\n')
                if l_2_destination.weight:
                    text += ('          weight: ', escape(l_2_destination.weight), '\n')
        if l_1_route.abort:
            text += ('      fault:\n        abort:\n          grpcStatus: ', escape(l_1_route.abort.grpc_status), '\n          percentage:\n            value: 100\n')
        if l_1_route.timeout:
            text += ('      timeout: ', escape(l_1_route.timeout), '\n')
        if l_1_route.retries:
            text += ('      retries:\n        attempts: ', escape(l_1_route.retries.attempts), '\n')
            if l_1_route.retries.per_try_timeout:
                text += ('        perTryTimeout: ', escape(l_1_route.retries.per_try_timeout), '\n')
            if l_1_route.retries.retry_on:
                text += ('        retryOn: ', escape(l_1_route.retries.retry_on), '\n')
    return ''.join(text)

ROOTS: dict[str, Any] = {
    'authorization_policy.yaml.j2': root_authorization_policy_yaml_j2,
    'destination_rule.yaml.j2': root_destination_rule_yaml_j2,
    'host.yaml.j2': root_host_yaml_j2,
    'match.yaml.j2': root_match_yaml_j2,
    'namespace.yaml.j2': root_namespace_yaml_j2,
    'telemetry.yaml.j2': root_telemetry_yaml_j2,
    'virtual_service.yaml.j2': root_virtual_service_yaml_j2,
}
