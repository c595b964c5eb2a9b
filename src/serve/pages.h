/* Files that are part of the binary: the dashboard at "/", the browser SDK at "/sdk/", the demo shop at "/shop/". The
 * table is made by tools/embed_pages.py when weir is built; nothing is read from the disk, so no path can lead out of
 * it. Immutable; any thread. */
#pragma once
#include "base/compiler.h"
#include "base/slice.h"

enum page_site { PAGE_DASHBOARD, PAGE_SDK, PAGE_SHOP };

struct page {
    const char *path; /* as it is asked for: "/", "/assets/index-Cx3f9aQ1.js" */
    const char *content_type;
    const char *etag; /* with its quotes; weak, since both forms share it */
    enum page_site site;
    bool immutable;                  /* its name holds a hash of its content */
    uint32_t at, n, gzip_at, gzip_n; /* in bytes; gzip_n is 0 where gzip would not make it smaller */
};

struct page_table {
    const struct page *pages; /* ascending by the bytes of path */
    size_t count;
    const char *bytes;
};

extern const struct page_table PAGES;

/* NULL: not there. */
const struct page *page_find(const struct page_table *table, struct slice path);
/* The page for a path that a browser asks for: a file, or the page whose own routes it belongs to. NULL: none. */
const struct page *page_for(const struct page_table *table, struct slice path);
/* An Accept-Encoding header takes gzip. p may be NULL. */
bool page_accepts_gzip(struct slice accept_encoding);
/* An If-None-Match header names the tag. p may be NULL. */
bool page_etag_matches(struct slice if_none_match, struct slice etag);
