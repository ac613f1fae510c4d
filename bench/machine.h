/*
 * On what and with what the figures were measured.
 */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

struct machine {
    char cpu_model[128];
    char kernel[128];
    char huge_pages[64];  /* the system's setting for transparent huge pages */
    char file_system[16]; /* where temporary folders are: see folder.h */
    long cores;
    double memory_gib;
    double load_average; /* over the last minute, when the program began */
};

/* What cannot be found out is "unknown" or 0. */
void machine_read(struct machine *machine);

/* The compiler of this program, by name and version. Static. */
const char *machine_compiler(void);

#endif
