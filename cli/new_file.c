/* Files that are written whole; see the header. */
#include "new_file.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(const char *path)
{
    return report_error(EXIT_IO, "cannot write '%s': %s", path, strerror(errno));
}

int new_file_open(struct new_file *file, const char *path)
{
    static const char suffix[] = ".XXXXXX";
    size_t size = strlen(path) + sizeof suffix;
    struct stat info;

    *file = (struct new_file){.path = path};
    if (lstat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        file->fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
        return file->fd < 0 ? fail(path) : 0;
    }
    file->temporary = malloc(size);
    if (!file->temporary)
        return report_status(TARN_NO_MEMORY);
    snprintf(file->temporary, size, "%s%s", path, suffix);
    file->fd = mkostemp(file->temporary, O_CLOEXEC); /* mode 0600, as a store's files have */
    if (file->fd >= 0)
        return 0;
    free(file->temporary);
    return fail(path);
}

int new_file_end(struct new_file *file, bool fine)
{
    int code = 0;

    if (fine && file->temporary && fsync(file->fd) != 0)
        code = fail(file->path);
    if (close(file->fd) != 0 && fine && !code)
        code = fail(file->path);
    if (file->temporary) {
        if (!fine || code)
            unlink(file->temporary);
        else if (rename(file->temporary, file->path) != 0)
            code = fail(file->path), unlink(file->temporary);
    }
    free(file->temporary);
    return code;
}
