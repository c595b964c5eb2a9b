/* The page at "/": what this is and what happens in it right now. Three resources from this address alone; the content
 * security policy forbids every other origin and everything inline, so text out of an event can't become a script (it
 * is only ever set as textContent besides). The dashboard takes its place later. */
#include "serve/inside.h"

static const char HTML[] =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>weir</title>\n"
    "<link rel=\"stylesheet\" href=\"/weir.css\">\n<link rel=\"icon\" href=\"data:,\">\n</head>\n<body>\n<main>\n"
    "<h1>weir</h1>\n"
    "<p class=\"lead\">Events in, answers out. An accepted event is on disk; what is on disk is queryable, once.</p>\n"
    "<section aria-label=\"Live numbers\" class=\"numbers\">\n"
    "<div><strong id=\"rate\">0</strong><span>events a second</span></div>\n"
    "<div><strong id=\"accepted\">0</strong><span>accepted</span></div>\n"
    "<div><strong id=\"duplicates\">0</strong><span>duplicates left out</span></div>\n"
    "<div><strong id=\"dead\">0</strong><span>dead letters kept</span></div>\n"
    "<div><strong id=\"latency\">0 ms</strong><span>accepted → processed</span></div>\n</section>\n"
    "<p id=\"state\" role=\"status\">connecting…</p>\n"
    "<form id=\"keys\"><label for=\"key\">Read key</label> <input id=\"key\" autocomplete=\"off\" "
    "spellcheck=\"false\"> "
    "<button>Listen</button></form>\n"
    "<h2>By type, since weir started</h2>\n<table><thead><tr><th scope=\"col\">type</th><th scope=\"col\">accepted</th>"
    "<th scope=\"col\">duplicates</th><th scope=\"col\">dead letters</th></tr></thead><tbody "
    "id=\"types\"></tbody></table>\n"
    "<h2>Newest events</h2>\n<ol id=\"events\"></ol>\n"
    "<h2>Ask</h2>\n<pre>curl -s http://127.0.0.1:8001/v1/sql -H 'Authorization: Bearer demo_read' \\\n"
    "  -d '{\"sql\": \"SELECT event_type, count() FROM events_raw GROUP BY event_type\"}'\n\n"
    "weir sql \"SELECT count() FROM events_raw\"    weir top    weir --help</pre>\n"
    "<p><a href=\"/health\">health</a> · <a href=\"/ready\">ready</a> · <a href=\"/metrics\">metrics</a></p>\n"
    "</main>\n<script src=\"/weir.js\" defer></script>\n</body>\n</html>\n";

static const char CSS[] =
    ":root{color-scheme:light dark;--line:#8884;--dim:#767676}\n"
    "body{font:16px/1.5 system-ui,sans-serif;margin:0}main{max-width:60rem;margin:0 auto;padding:2rem 1rem}\n"
    "h1{margin:0;font-size:2.2rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}.lead{margin:.2rem 0 "
    "1.5rem;color:var(--dim)}\n"
    ".numbers{display:flex;flex-wrap:wrap;gap:1rem}.numbers div{border:1px solid var(--line);border-radius:.5rem;"
    "padding:.6rem 1rem;min-width:8rem}\n"
    ".numbers strong{display:block;font-size:1.6rem;font-variant-numeric:tabular-nums}.numbers "
    "span,#state{color:var(--dim);"
    "font-size:.9rem}\n"
    "table{border-collapse:collapse;width:100%}th,td{text-align:right;padding:.25rem .5rem;border-bottom:1px solid "
    "var(--line);font-variant-numeric:tabular-nums}th:first-child,td:first-child{text-align:left}\n"
    "#events{list-style:none;padding:0;font:.85rem/1.6 ui-monospace,monospace;min-height:8em;overflow-wrap:anywhere}\n"
    "pre{border:1px solid var(--line);border-radius:.5rem;padding:.8rem;overflow-x:auto}\n"
    "input{font:inherit;padding:.2rem .5rem;width:16rem}button{font:inherit}\n";

static const char JS[] =
    "'use strict';\n"
    "const byId = id => document.getElementById(id);\n"
    "const params = new URLSearchParams(location.search);\n"
    "let source = null, before = null, latest = null, fresh = [];\n"
    "const number = n => n.toLocaleString('en');\n"
    "function show(state) {\n"
    "  const now = performance.now();\n"
    "  if (before === null || state.accepted < before.accepted) before = {accepted: state.accepted, at: now, rate: "
    "0};\n"
    "  if (now - before.at > 500) {\n"
    "    before = {accepted: state.accepted, at: now, rate: (state.accepted - before.accepted) * 1000 / (now - "
    "before.at)};\n"
    "    byId('rate').textContent = number(Math.round(before.rate));\n"
    "  }\n"
    "  byId('accepted').textContent = number(state.accepted);\n"
    "  byId('duplicates').textContent = number(state.duplicates);\n"
    "  byId('dead').textContent = number(state.dead_letters);\n"
    "  byId('latency').textContent = state.latency_ms.toFixed(1) + ' ms';\n"
    "  const rows = state.types.sort((a, b) => b.accepted - a.accepted).slice(0, 20).map(type => {\n"
    "    const row = document.createElement('tr');\n"
    "    for (const text of [type.type, number(type.accepted), number(type.duplicates), number(type.dead_letters)])\n"
    "      row.insertCell().textContent = text;\n"
    "    return row;\n"
    "  });\n"
    "  byId('types').replaceChildren(...rows);\n"
    "  for (const event of fresh.splice(0)) {\n"
    "    const item = document.createElement('li');\n"
    "    item.textContent = new Date(event.timestamp_ms).toISOString().slice(11, 23) + '  ' + event.event_type + '  '\n"
    "      + event.event_name + '  ' + event.visitor_id;\n"
    "    byId('events').prepend(item);\n"
    "  }\n"
    "  while (byId('events').childElementCount > 12) byId('events').lastElementChild.remove();\n"
    "}\n"
    "function listen(key) {\n"
    "  if (source) source.close();\n"
    "  before = null;\n"
    "  source = new EventSource('/v1/live?key=' + encodeURIComponent(key));\n"
    "  source.onopen = () => { byId('state').textContent = 'live'; };\n"
    "  source.onmessage = message => {\n"
    "    if (latest === null) requestAnimationFrame(() => { show(latest); latest = null; });\n"
    "    latest = JSON.parse(message.data);\n"
    "    fresh.push(...latest.events);\n"
    "    fresh.splice(0, fresh.length - 12);\n"
    "  };\n"
    "  source.onerror = () => {\n"
    "    byId('state').textContent = source.readyState === EventSource.CLOSED\n"
    "      ? 'refused: is this a read key? weir tenant create NAME prints one' : 'connection lost, trying again…';\n"
    "  };\n"
    "}\n"
    "byId('key').value = params.get('key') || 'demo_read';\n"
    "byId('keys').addEventListener('submit', event => { event.preventDefault(); listen(byId('key').value); });\n"
    "setInterval(() => {\n"
    "  if (before && performance.now() - before.at > 1500) byId('rate').textContent = '0';\n"
    "}, 500);\n"
    "listen(byId('key').value);\n";

static const struct file {
    const char *path, *content_type;
    struct slice body;
} FILES[] = {
    { "/", "text/html; charset=utf-8", { HTML, sizeof HTML - 1 } },
    { "/weir.css", "text/css; charset=utf-8", { CSS, sizeof CSS - 1 } },
    { "/weir.js", "text/javascript; charset=utf-8", { JS, sizeof JS - 1 } },
};

bool page_answer(struct serve *serve, struct http_exchange *exchange, struct slice path)
{
    for (size_t i = 0; i < COUNT_OF(FILES); i++) {
        if (!slice_equal(path, slice_from(FILES[i].path)))
            continue;
        answer_body(serve, exchange, 200, FILES[i].body,
                    &(struct answer_extra){
                        .content_type = FILES[i].content_type,
                        .headers = "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
                                   "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
                                   "frame-ancestors 'none'\r\nCross-Origin-Opener-Policy: same-origin\r\n" });
        return true;
    }
    return false;
}
