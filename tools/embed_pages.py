#!/usr/bin/env python3
"""Puts what browsers load into the binary: dashboard/dist, sdk/dist and demo/shop become one file of bytes (each file as it is and gzipped) and a
C table over it (src/serve/pages.h). What is not built yet is left out. Writes only what changed.  usage: embed_pages.py TABLE.c BYTES.bin"""
import gzip, hashlib, os, re, sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SITES = [("dashboard/dist", "/", "PAGE_DASHBOARD"), ("sdk/dist", "/sdk/", "PAGE_SDK"), ("demo/shop", "/shop/", "PAGE_SHOP")]
TYPES = {
    "html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "mjs": "text/javascript; charset=utf-8",
    "json": "application/json", "webmanifest": "application/manifest+json", "svg": "image/svg+xml", "png": "image/png", "jpg": "image/jpeg",
    "jpeg": "image/jpeg", "webp": "image/webp", "avif": "image/avif", "gif": "image/gif", "ico": "image/x-icon", "woff2": "font/woff2",
    "txt": "text/plain; charset=utf-8", "wasm": "application/wasm",
}
NOT_FOR_BROWSERS = {"map", "ts", "mts", "cts", "cjs", "md", "tsbuildinfo"}
HASHED = re.compile(r"-[A-Za-z0-9_-]{8}\.[a-z0-9]+$")  # as vite names what never changes


def fail(text):
    sys.exit("embed_pages: " + text)


def files_of(directory):
    for folder, folders, names in os.walk(os.path.join(ROOT, directory)):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "node_modules")
        for name in sorted(names):
            extension = name.rsplit(".", 1)[-1].lower() if "." in name else ""
            path = os.path.relpath(os.path.join(folder, name), os.path.join(ROOT, directory)).replace(os.sep, "/")
            if name.startswith(".") or extension in NOT_FOR_BROWSERS or name in ("LICENSE", "package.json", "package-lock.json"):
                continue
            if extension not in TYPES:
                fail("%s/%s: its content type is not known; add it to TYPES in tools/embed_pages.py" % (directory, path))
            if not re.fullmatch(r"[A-Za-z0-9._/-]+", path):
                fail("%s/%s: a browser would ask for this name in another spelling; use letters, digits, . _ -" % (directory, path))
            with open(os.path.join(folder, name), "rb") as f:
                yield path, extension, f.read()


def collect():
    pages = []
    for directory, prefix, site in SITES:
        for path, extension, content in files_of(directory):
            address = prefix + ("" if path == "index.html" else path)
            pages.append({"path": address, "type": TYPES[extension], "site": site, "content": content,
                          "tag": hashlib.sha256(content).hexdigest()[:20], "immutable": prefix == "/" and path.startswith("assets/") and bool(HASHED.search(path))})
    return sorted(pages, key=lambda page: page["path"].encode())


def write_if_changed(path, content):
    try:
        with open(path, "rb") as f:
            if f.read() == content:
                return
    except OSError:
        pass
    with open(path, "wb") as f:
        f.write(content)


def main():
    table_path, bytes_path = (os.path.abspath(p) for p in sys.argv[1:3])
    pages = collect()
    fingerprint = hashlib.sha256(repr([(p["path"], p["type"], p["tag"], p["immutable"]) for p in pages] + [bytes_path]).encode()).hexdigest()
    with open(__file__, "rb") as f:
        mark = "/* made by tools/embed_pages.py of %s %s */" % (fingerprint, hashlib.sha256(f.read()).hexdigest()[:8])
    try:
        with open(table_path) as f:
            if f.readline().strip() == mark and os.path.exists(bytes_path):
                return
    except OSError:
        pass
    blob, rows = bytearray(), []
    for page in pages:
        packed = gzip.compress(page["content"], 9, mtime=0)
        if len(packed) + 64 > len(page["content"]):
            packed = b""
        at, gzip_at = len(blob), len(blob) + len(page["content"])
        blob += page["content"] + packed
        rows.append('    { "%s", "%s", "W/\\"%s\\"", %s, %s, %d, %d, %d, %d },' % (
            page["path"], page["type"], page["tag"], page["site"], "true" if page["immutable"] else "false", at, len(page["content"]), gzip_at, len(packed)))
    blob += b"\0"  # never empty
    write_if_changed(bytes_path, bytes(blob))
    write_if_changed(table_path, "\n".join([
        mark, '#include "serve/pages.h"', "",
        '__asm__(".section .rodata\\n.balign 16\\n.globl weir_page_bytes\\n.hidden weir_page_bytes\\nweir_page_bytes:\\n.incbin \\"%s\\"\\n.previous\\n");' % bytes_path,
        'extern __attribute__((visibility("hidden"))) const char weir_page_bytes[];', "",
        "static const struct page ROWS[] = {", *rows, "    { 0 },", "};", "",
        "const struct page_table PAGES = { ROWS, %d, weir_page_bytes };" % len(pages), ""]).encode())


main()
