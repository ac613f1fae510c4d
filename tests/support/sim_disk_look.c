/*
 * The simulated disk as a test looks at it, changes it and copies it: trace, observer, failing
 * syncs, whole files. See sim_disk.h.
 */
#include "sim_disk_inside.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TRACE_LINE_MAX  700
#define TRACE_BYTES_MAX (4u << 20)

/* --- Trace -------------------------------------------------------------------------------- */

/* Leaves out the older half of the lines. */
static void forget_half(struct sim_disk *disk)
{
    static const char mark[] = "(what was before is left out)\n";
    const char *middle = strchr(disk->trace + disk->trace_length / 2, '\n') + 1;
    size_t left = (size_t)(disk->trace + disk->trace_length - middle);

    memmove(disk->trace + sizeof mark - 1, middle, left + 1);
    memcpy(disk->trace, mark, sizeof mark - 1);
    disk->trace_length = left + sizeof mark - 1;
}

void sim_trace(struct sim_disk *disk, const char *format, ...)
{
    char line[TRACE_LINE_MAX];
    va_list arguments;
    int length;

    length = snprintf(line, sizeof line, "%llu: ", (unsigned long long)disk->operations + 1);
    va_start(arguments, format);
    length += vsnprintf(line + length, sizeof line - (size_t)length, format, arguments);
    va_end(arguments);
    if ((size_t)length >= sizeof line - 1)
        length = sizeof line - 2;
    line[length++] = '\n';
    if (disk->trace_length + TRACE_LINE_MAX > TRACE_BYTES_MAX)
        forget_half(disk);
    disk->trace =
        sim_grow(disk->trace, &disk->trace_room, disk->trace_length + (size_t)length + 1, 1);
    memcpy(disk->trace + disk->trace_length, line, (size_t)length);
    disk->trace_length += (size_t)length;
    disk->trace[disk->trace_length] = '\0';
}

void sim_disk_print_trace(struct sim_disk *disk, FILE *stream)
{
    (void)sim_enter(&disk->os);
    fprintf(stream, "%s", disk->trace ? disk->trace : "");
    (void)sim_leave(disk, false, 0); /* gives back the error that it is given */
}

static void print_piece(const struct sim_piece *piece, FILE *stream)
{
    unsigned long long number = piece->node->number;

    if (piece->kind == SIM_PIECE_SECTOR)
        fprintf(stream, "sector %zu of file %llu, bytes %zu to %zu%s\n", piece->index, number,
                piece->begin, piece->end, piece->mapped ? ", stored through a mapping" : "");
    else if (piece->kind == SIM_PIECE_NAME)
        fprintf(stream, "name of %llu: '%s' -> '%s'\n", number, piece->from ? piece->from : "",
                piece->to ? piece->to : "");
    else
        fprintf(stream, "size of file %llu %s %llu\n", number,
                piece->kind == SIM_PIECE_GROW ? "grows to" : "is cut to",
                (unsigned long long)piece->size);
}

/* What may still reach the disk, without what can mean nothing any more. */
static struct sim_tree *pending_of(struct sim_disk *disk)
{
    struct sim_tree *tree = sim_tree_copy(sim_enter(&disk->os)->tree, SIM_COPY_KEPT);

    (void)sim_leave(disk, false, 0);
    return tree;
}

void sim_disk_print_pending(struct sim_disk *disk, FILE *stream)
{
    struct sim_tree *tree = pending_of(disk);

    for (size_t i = 0; i < tree->piece_count; i++) {
        fprintf(stream, "%zu (operation %llu): ", i + 1,
                (unsigned long long)tree->pieces[i].operation);
        print_piece(&tree->pieces[i], stream);
    }
    sim_tree_free(tree);
}

size_t sim_disk_pending(struct sim_disk *disk)
{
    struct sim_tree *tree = pending_of(disk);
    size_t count = tree->piece_count;

    sim_tree_free(tree);
    return count;
}

/* --- Creating, observing, failing --------------------------------------------------------- */

struct sim_disk *sim_disk_create(uint64_t seed)
{
    return sim_disk_around(sim_tree_new(), seed, NULL);
}

static struct sim_disk *copy(struct sim_disk *disk, enum sim_copy how)
{
    struct sim_tree *tree = sim_tree_copy(sim_enter(&disk->os)->tree, how);
    uint64_t seed = sim_mix(disk->seed, disk->random);

    (void)sim_leave(disk, false, 0);
    return sim_disk_around(tree, seed, disk);
}

struct sim_disk *sim_disk_copy(struct sim_disk *disk)
{
    return copy(disk, SIM_COPY_SETTLED);
}

struct sim_disk *sim_disk_copy_pending(struct sim_disk *disk)
{
    return copy(disk, SIM_COPY_PENDING);
}

void sim_disk_observe(struct sim_disk *disk, sim_disk_after after, void *context)
{
    (void)sim_enter(&disk->os);
    disk->after = after;
    disk->after_context = context;
    (void)sim_leave(disk, false, 0);
}

uint64_t sim_disk_operations(struct sim_disk *disk)
{
    uint64_t count = sim_enter(&disk->os)->operations;

    (void)sim_leave(disk, false, 0);
    return count;
}

void sim_disk_fail_sync(struct sim_disk *disk, uint64_t nth, enum sim_sync_failure failure)
{
    (void)sim_enter(&disk->os);
    disk->fail_at = nth > 0 ? disk->syncs + nth : 0;
    disk->failure = failure;
    (void)sim_leave(disk, false, 0);
}

uint64_t sim_disk_syncs(struct sim_disk *disk)
{
    uint64_t count = sim_enter(&disk->os)->syncs;

    (void)sim_leave(disk, false, 0);
    return count;
}

uint64_t sim_disk_sync_failures(struct sim_disk *disk)
{
    uint64_t count = sim_enter(&disk->os)->sync_failures;

    (void)sim_leave(disk, false, 0);
    return count;
}

/* --- Whole files -------------------------------------------------------------------------- */

static struct sim_node *find_file(struct sim_disk *disk, enum sim_view view, const char *path)
{
    struct sim_node *node = NULL;

    if (sim_resolve(disk, view, path, &node) != 0 || node->directory)
        return NULL;
    return node;
}

void *sim_disk_read(struct sim_disk *disk, enum sim_view view, const char *path, size_t *length)
{
    const struct sim_node *node = find_file(sim_enter(&disk->os), view, path);
    void *bytes = NULL;

    if (node) {
        const struct sim_content *content = view == SIM_SEEN ? node->seen : node->kept;

        bytes = sim_allocate(content->size + 1);
        sim_content_read(content, 0, bytes, content->size);
        *length = content->size;
    }
    (void)sim_leave(disk, false, 0);
    return bytes;
}

bool sim_disk_list(struct sim_disk *disk, enum sim_view view, const char *path,
                   tarn__directory_visit visit, void *context)
{
    struct sim_names names = {0};
    struct sim_node *node = NULL;
    bool found;

    found = sim_resolve(sim_enter(&disk->os), view, path, &node) == 0 && node->directory;
    if (found)
        sim_names_copy(&names, view == SIM_SEEN ? &node->seen_names : &node->kept_names);
    (void)sim_leave(disk, false, 0);
    for (size_t i = 0; i < names.count; i++)
        if (!visit(context, names.names[i].name))
            break;
    sim_names_release(&names);
    return found;
}

bool sim_disk_set_bytes(struct sim_disk *disk, const char *path, uint64_t offset, const void *bytes,
                        size_t length)
{
    struct sim_node *node = find_file(sim_enter(&disk->os), SIM_SEEN, path);
    bool inside = node && offset <= node->seen->size && length <= node->seen->size - offset;

    if (inside) {
        sim_content_own(&node->seen);
        sim_content_write(node->seen, offset, bytes, length);
        sim_content_own(&node->kept);
        sim_content_write(node->kept, offset, bytes, length);
        sim_content_cut(node->kept, node->kept->size);
        sim_refresh_mappings(disk, node, offset, offset + length);
    }
    (void)sim_leave(disk, false, 0);
    return inside;
}

bool sim_disk_set_size(struct sim_disk *disk, const char *path, uint64_t size)
{
    struct sim_node *node = find_file(sim_enter(&disk->os), SIM_SEEN, path);
    bool possible = node && size <= SIM_FILE_BYTES_MAX;

    if (possible) {
        uint64_t before = node->seen->size;

        sim_content_own(&node->seen);
        sim_content_cut(node->seen, size);
        sim_content_own(&node->kept);
        sim_content_cut(node->kept, size);
        node->size_on_way = size;
        sim_refresh_mappings(disk, node, size, before);
    }
    (void)sim_leave(disk, false, 0);
    return possible;
}
