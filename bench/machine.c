/*
 * On what the figures were measured: see machine.h.
 */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "folder.h"

/* The first line of a file that begins with prefix, from the first character after it that is
 * neither blank nor colon, without its end. Leaves text alone if there is none. */
static void read_line(const char *path, const char *prefix, char *text, size_t text_size)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return;
    }
    char line[256];
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, prefix, strlen(prefix)) == 0) {
            const char *rest = line + strlen(prefix);
            rest += strspn(rest, " \t:");
            (void)snprintf(text, text_size, "%.*s", (int)strcspn(rest, "\n"), rest);
            break;
        }
    }
    (void)fclose(file); /* it was only read */
}

void machine_read(struct machine *machine)
{
    struct utsname system;
    *machine =
        (struct machine){.cpu_model = "unknown", .kernel = "unknown", .huge_pages = "unknown"};
    read_line("/proc/cpuinfo", "model name", machine->cpu_model, sizeof machine->cpu_model);
    read_line("/sys/kernel/mm/transparent_hugepage/enabled", "", machine->huge_pages,
              sizeof machine->huge_pages);
    if (uname(&system) == 0) {
        (void)snprintf(machine->kernel, sizeof machine->kernel, "%.40s %.80s", system.sysname,
                       system.release);
    }
    (void)snprintf(machine->file_system, sizeof machine->file_system, "%s", folder_file_system());
    machine->cores = sysconf(_SC_NPROCESSORS_ONLN);
    machine->memory_gib =
        (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / (1024.0 * 1024 * 1024);
    if (getloadavg(&machine->load_average, 1) != 1) {
        machine->load_average = 0;
    }
}

const char *machine_compiler(void)
{
#if defined(__clang__)
    return __VERSION__;
#else
    return "gcc " __VERSION__;
#endif
}
