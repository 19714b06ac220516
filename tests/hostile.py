"""Messages whose every text is made to be taken for something else."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from truthound.checkpoint.messages.message import Finding, Message, MessageKind

TEXTS = [
    "",
    " ",
    "rides",
    "<!channel> <@U1> <http://x|pay> & &lt;",
    "@everyone @here <@123> <@&9> <#1> :tada: <:a:1> <t:1:R>",
    "@channel #general /start example.com www.example.com a@example.com $USD",
    "[pay](http://evil.example) ![x](http://evil.example/a.png) <b>x</b> **y** _z_ ~w~",
    "<script>alert(1)</script><img src=x onerror=alert(1)>\"'",
    "`code` ```fence``` ~~~ ``",
    "a\n- b (high): c\r\n# heading\n\n***\n| a | b |\n> quote",
    "\u202egnp.exe\u2066 \u200b\u200d\ufeff\u00ad\u2028\u2029",
    "\x00\x07\x1b[31mred\x1b[0m\x7f\x85",
    "</code></b><a href='http://evil.example'>x</a>",
    "<at>Ops</at> {{DATE(2017-02-14T06:08:39Z,SHORT)}} ${name}",
    "GH-1 #12 deadbeefdeadbeef octocat@1234567",
    "\ud800 lone",
    "1. one 2) two - three + four",
    "*bold* _it_ ~no~ `c` \\* \\",
    "*" * 500,
    "`" * 500,
    "<" * 10_000,
    "&" * 5_000,
    "é" * 5_000,
    "😀" * 9_000,
    "👩\u200d👩\u200d👧" * 900,
    "a\u0301" * 3_000,
    "x" * 20_000,
    "\u202e" * 3_000,
    "http://evil.example/" + "p" * 4_000,
]
# By their numbers: as values they would make the strategies' own names endless.
_known: st.SearchStrategy[str] = st.integers(0, len(TEXTS) - 1).map(lambda n: TEXTS[n])
texts: st.SearchStrategy[str] = st.one_of(
    _known,
    st.text(max_size=40),
    st.lists(_known, min_size=2, max_size=3).map("".join),
    st.text("<>&@#`*_~[]()!|\\:/.-+{}$\"' \nax1\u202e\u200b", max_size=60),
)
_rows: st.SearchStrategy[dict[str, str]] = st.one_of(
    st.dictionaries(texts, texts, max_size=3),
    st.integers(21, 60).map(
        lambda n: {f"column {i} *x*": "😀" * 300 for i in range(n)}
    ),
)
findings: st.SearchStrategy[Finding] = st.builds(
    Finding,
    name=texts,
    severity=st.one_of(st.sampled_from(["critical", "high", "low", "error"]), texts),
    message=texts,
    failed=st.integers(0, 10**12),
    checked=st.integers(0, 10**12),
    examples=st.one_of(st.lists(_rows, max_size=3), st.just([{"a": "`@x`"}] * 40)),
)
_LINKS = st.dictionaries(
    texts,
    st.one_of(
        st.just("https://quality.example/runs/1?a=(b)&c=<d>"),
        st.integers(100, 3_000).map(lambda n: "https://quality.example/" + "y" * n),
        texts,
        st.just("javascript:alert(1)"),
    ),
    max_size=8,
)


def _messages(others: st.SearchStrategy[list[Message]]) -> st.SearchStrategy[Message]:
    return st.builds(
        Message,
        kind=st.sampled_from(MessageKind),
        checkpoint=texts,
        status=st.one_of(
            st.sampled_from(["success", "warning", "failure", "error"]), texts
        ),
        run_id=texts,
        at=st.datetimes(timezones=st.just(UTC)),
        source=texts,
        error=st.one_of(st.none(), texts),
        rows=st.one_of(st.none(), st.integers(0, 10**15)),
        checks=st.integers(0, 10**6),
        failed_checks=st.integers(0, 10**6),
        findings=st.one_of(
            st.lists(findings, max_size=3),
            findings.map(lambda finding: [finding] * 12),
        ),
        more_findings=st.integers(0, 10**6),
        since=st.one_of(st.none(), st.just(datetime(2026, 3, 1, tzinfo=UTC))),
        runs=st.integers(1, 10**6),
        held=st.integers(0, 10**6),
        note=st.one_of(st.none(), texts),
        links=_LINKS,
        tags=st.dictionaries(texts, texts, max_size=12),
        thread=st.one_of(st.none(), st.just("1700000000.000100")),
        others=others,
    )


alone: st.SearchStrategy[Message] = _messages(st.just([]))
messages: st.SearchStrategy[Message] = _messages(
    st.one_of(
        st.just([]), st.lists(alone, max_size=3), alone.map(lambda one: [one] * 80)
    )
)
