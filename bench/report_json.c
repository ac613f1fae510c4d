/*
 * The figures as JSON: see report.h. One object:
 *
 *   machine    cpu_model, kernel, huge_pages, file_system, cores, memory_gib, load_average
 *   versions   tarn, tkrzw, unordered_map, compiler
 *   disk       for each store on disk that was measured: version, settings
 *   parameters rounds, sizes, key_bytes, value_bytes, growth_keys, memory_keys
 *   figures    an array; each with operation, detail, keys, value_bytes, unit, result, and where
 *              there are such: goal, at_least, judged, reached; tarn, its peers and tarn_base in
 *              nanoseconds per operation
 *
 * result and the times are objects of min, median, max and rounds.
 */
#include <stdio.h>

#include "console.h"
#include "disk_peers.h"
#include "peer.h"
#include "report.h"

static const char *const subject_names[SUBJECT_COUNT] = {
    [SUBJECT_TARN] = "tarn",
    [SUBJECT_TKRZW] = "tkrzw",
    [SUBJECT_UNORDERED_MAP] = "unordered_map",
    [SUBJECT_HASHDBM] = "hashdbm",
    [SUBJECT_LMDB] = "lmdb",
    [SUBJECT_LEVELDB] = "leveldb",
    [SUBJECT_ROCKSDB] = "rocksdb",
    [SUBJECT_SQLITE] = "sqlite",
    [SUBJECT_OWN] = "tarn_base",
};

static void write_string(FILE *file, const char *name, const char *text, const char *end)
{
    fprintf(file, "\"%s\": \"", name);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            fprintf(file, "\\%c", *c);
        } else if ((unsigned char)*c < 0x20) {
            fprintf(file, "\\u%04x", (unsigned)(unsigned char)*c);
        } else {
            fputc(*c, file);
        }
    }
    fprintf(file, "\"%s", end);
}

static void write_series(FILE *file, const char *name, const struct series *series)
{
    fprintf(file, ",\n     \"%s\": {\"min\": %.6g, \"median\": %.6g, \"max\": %.6g, \"rounds\": [",
            name, series_least(series), series_median(series), series_most(series));
    for (size_t i = 0; i < series->count; i++) {
        fprintf(file, "%s%.6g", i == 0 ? "" : ", ", series->rounds[i]);
    }
    fprintf(file, "]}");
}

static void write_figure(FILE *file, const struct figure *figure)
{
    fprintf(file, "    {");
    write_string(file, "operation", figure->operation->name, ", ");
    write_string(file, "detail", figure->detail, ", ");
    write_string(file, "unit", figure->unit, ", ");
    fprintf(file, "\"keys\": %u, \"value_bytes\": %zu", figure->keys, figure->value_bytes);
    if (figure->has_goal) {
        fprintf(file, ",\n     \"goal\": %g, \"at_least\": %s, \"judged\": %.6g, \"reached\": %s",
                figure->operation->goal,
                operation_more_is_better(figure->operation) ? "true" : "false",
                figure_judged(figure), figure_verdict(figure) == VERDICT_OK ? "true" : "false");
    }
    write_series(file, "result", &figure->result);
    for (size_t i = 0; i < SUBJECT_COUNT; i++) {
        if (figure->times[i].count > 0) {
            write_series(file, subject_names[i], &figure->times[i]);
        }
    }
    fprintf(file, "}");
}

static void write_head(FILE *file, const struct plan *plan, const struct machine *machine)
{
    fprintf(file, "{\n  \"machine\": {");
    write_string(file, "cpu_model", machine->cpu_model, ", ");
    write_string(file, "kernel", machine->kernel, ", ");
    write_string(file, "huge_pages", machine->huge_pages, ", ");
    write_string(file, "file_system", machine->file_system, ", ");
    fprintf(file, "\"cores\": %ld, \"memory_gib\": %.2f, \"load_average\": %.2f},\n",
            machine->cores, machine->memory_gib, machine->load_average);
    fprintf(file, "  \"versions\": {");
    write_string(file, "tarn", peer_tarn.version(), ", ");
    write_string(file, "tkrzw", peer_tkrzw.version(), ", ");
    write_string(file, "unordered_map", peer_unordered_map.version(), ", ");
    write_string(file, "compiler", machine_compiler(), "},\n  \"disk\": {");
    for (enum subject_id i = 0, told = 0; i < SUBJECT_COUNT; i++) {
        if (disk_peer(i) != NULL) {
            fprintf(file, "%s\"%s\": {", told++ == 0 ? "" : ",\n    ", subject_names[i]);
            write_string(file, "version", disk_peer(i)->version(), ", ");
            write_string(file, "settings", disk_peer(i)->settings, "}");
        }
    }
    fprintf(file, "},\n");
    fprintf(file, "  \"parameters\": {\"rounds\": %zu, \"sizes\": [", plan->rounds);
    for (size_t i = 0; i < plan->size_count; i++) {
        fprintf(file, "%s%u", i == 0 ? "" : ", ", plan->sizes[i]);
    }
    fprintf(file,
            "], \"key_bytes\": %d, \"value_bytes\": %d, \"growth_keys\": %u, \"memory_keys\": "
            "%u},\n",
            WORKLOAD_KEY_BYTES, PLAN_VALUE_BYTES, plan->growth_keys, plan->memory_keys);
}

void report_write_json(const char *path, const struct plan *plan, const struct machine *machine,
                       const struct figure_list *list)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        console_fail("cannot write %s", path);
    }
    write_head(file, plan, machine);
    fprintf(file, "  \"figures\": [\n");
    for (size_t i = 0; i < list->count; i++) {
        write_figure(file, &list->figures[i]);
        fprintf(file, "%s\n", i + 1 < list->count ? "," : "");
    }
    fprintf(file, "  ]\n}\n");
    const bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed) {
        console_fail("cannot write %s whole", path);
    }
}
