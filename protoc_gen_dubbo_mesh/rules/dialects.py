"""How versions of Dubbo differ in what they make of the same rule.

Facts are from the sources of apache/dubbo and apache/dubbo-go; each flag names the file.
"""

from __future__ import annotations

from typing import NamedTuple


class Dialect(NamedTuple):
    """What one version of Dubbo does: a flag for each difference, so that nothing else asks for versions.

    Attributes:
        name: as the user names it.
        release: the release that was compared.
        is_go: whether it is dubbo-go, which reads YAML 1.2 into typed fields and refuses duplicate keys.
        unequal_needs_presence: `!=` does not hold for an absent value (AbstractConditionMatcher.isMatch).
        empty_is_absent: an empty value counts as absent (matcher/base.go, IsMatch).
        has_ranges: `10~20` is a range (value pattern `range`); otherwise it is text.
        open_range_works: `90~` is a range without an end; otherwise it matches no request, and all instances.
        word_in_range_is_zero: what is no integer counts as 0 in a range; otherwise it is not in it.
        has_attachments: `attachments[key]` is known.
        not_found: what an argument or attachment that cannot be found is compared as
            (AttachmentConditionMatcher); None: it counts as absent.
        has_shared_conditions: rules of v3.1 are known (MultiDestConditionRouter).
        has_affinity: affinity rules are known.
        has_script: script rules are known.
        has_mesh: mesh rules are known.
        has_wildcard: `wildcard` is known in the matches of mesh rules (StringMatch).
        deny_needs_force: a condition without a right side denies only with `force: true`.
        swaps_force_and_enabled: rules of v3.0 (condition/dynamic_router.go, generateConditionsRoute).
        crashes: what is missing makes it crash: force or enabled of a rule (dynamic_router.go), and the
            argument behind the last one (matcher/argument.go: index > len).
        has_typed_fields: booleans and numbers of a rule must be such in YAML, or the rule is dropped, and
            configVersion is not read (2.7: PojoUtils).
        refuses_duplicates: a rule that has a key twice is dropped (yaml.v3); otherwise the last one counts.
        provider_scope: rules of scope `application` are found by the provider's name as well.
        tag_match: `match` of tags is read.
        match_over_addresses: a tag's `match` wins over its `addresses`.
        tag_address_patterns: `addresses` may be CIDR ranges and wildcards.
        keeps_other_static_tags: untagged requests may reach instances whose own tag no rule names.
        tag_levels: the tag `a|b` falls back to `a`.
    """

    name: str
    release: str
    is_go: bool = False
    unequal_needs_presence: bool = True
    empty_is_absent: bool = False
    has_ranges: bool = True
    open_range_works: bool = False
    word_in_range_is_zero: bool = True
    has_attachments: bool = True
    not_found: str | None = "dubbo_internal_not_found_argument_condition_value"
    has_shared_conditions: bool = True
    has_affinity: bool = False
    has_script: bool = True
    has_mesh: bool = True
    has_wildcard: bool = True
    deny_needs_force: bool = False
    swaps_force_and_enabled: bool = False
    crashes: bool = False
    has_typed_fields: bool = False
    refuses_duplicates: bool = False
    provider_scope: bool = True
    tag_match: bool = True
    match_over_addresses: bool = False
    tag_address_patterns: bool = True
    keeps_other_static_tags: bool = False
    tag_levels: bool = True


_JAVA_33 = Dialect("java-3.3", "Dubbo 3.3.5")
_JAVA_32 = _JAVA_33._replace(
    name="java-3.2", release="Dubbo 3.2.16", has_shared_conditions=False, tag_levels=False
)
_JAVA_31 = _JAVA_32._replace(
    name="java-3.1",
    release="Dubbo 3.1.10",
    unequal_needs_presence=False,
    has_ranges=False,
    has_attachments=False,
    not_found=None,
    has_script=False,
    provider_scope=False,
    has_wildcard=False,
    keeps_other_static_tags=True,
    tag_match=False,
)
_JAVA_27 = _JAVA_31._replace(
    name="java-2.7",
    release="Dubbo 2.7.23",
    has_typed_fields=True,
    has_mesh=False,
)
_GO_33 = Dialect(
    "go-3.3",
    "dubbo-go 3.3.2",
    is_go=True,
    not_found=None,
    empty_is_absent=True,
    open_range_works=True,
    word_in_range_is_zero=False,
    has_affinity=True,
    deny_needs_force=True,
    swaps_force_and_enabled=True,
    has_mesh=False,
    refuses_duplicates=True,
    crashes=True,
    match_over_addresses=True,
    tag_address_patterns=False,
    tag_levels=False,
)

DIALECTS = {dialect.name: dialect for dialect in (_JAVA_33, _JAVA_32, _JAVA_31, _JAVA_27, _GO_33)}
"""The dialects by name. The first is the default."""

DEFAULT = _JAVA_33
"""What is assumed if nobody says which version the rules were written for; the output names it."""
