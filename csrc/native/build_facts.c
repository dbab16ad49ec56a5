/* SPDX-License-Identifier: MIT */
/* What the extension was built with and what it runs with, for `drmbench --version`. */
#include "drmbench.h"

#include <dlfcn.h>
#include <link.h>
#include <xf86drm.h>

#ifndef DRMBENCH_LIBDRM_VERSION
#define DRMBENCH_LIBDRM_VERSION "unknown"
#endif

const char *drmbench_built_by(void)
{
#if defined(__clang__)
    return "clang " __clang_version__;
#else
    return "gcc " __VERSION__;
#endif
}

const char *drmbench_libdrm_built(void)
{
    return DRMBENCH_LIBDRM_VERSION;
}

const char *drmbench_libdrm_path(void)
{
    Dl_info found;
    void *symbol = dlsym(RTLD_DEFAULT, "drmGetVersion");

    return symbol && dladdr(symbol, &found) && found.dli_fname ? found.dli_fname : "";
}
