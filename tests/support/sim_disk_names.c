/*
 * The simulated disk: paths, directories, and what gives, changes or takes names. See sim_disk.h.
 *
 * What the program sees is looked up; sim_tree.h knows what will be kept of a change. The errors
 * are those of Linux where more than one would do.
 */
#include "sim_disk_inside.h"

#include <errno.h>
#include <string.h>

/* --- Paths -------------------------------------------------------------------------------- */

/* Copies the next part of a path to name, which is empty at the end. */
static int next_part(const char **path, char name[256])
{
    size_t length;

    *path += strspn(*path, "/");
    length = strcspn(*path, "/");
    if (length > 255)
        return ENAMETOOLONG;
    memcpy(name, *path, length);
    name[length] = '\0';
    *path += length;
    return 0;
}

/* Takes one step; node is a directory or not. */
static int step(enum sim_view view, struct sim_node **node, const char *name)
{
    struct sim_node *next;

    if (!(*node)->directory)
        return ENOTDIR;
    if (strcmp(name, ".") == 0)
        return 0;
    next = sim_names_find(view == SIM_SEEN ? &(*node)->seen_names : &(*node)->kept_names, name);
    if (!next)
        return ENOENT;
    *node = next;
    return 0;
}

int sim_resolve(const struct sim_disk *disk, enum sim_view view, const char *path,
                struct sim_node **found)
{
    struct sim_node *node = disk->tree->root;
    char name[256];
    int error = *path ? 0 : ENOENT;

    while (error == 0) {
        error = next_part(&path, name);
        if (error != 0 || !*name)
            break;
        error = step(view, &node, name);
    }
    if (error == 0)
        *found = node;
    return error;
}

/* Resolves all but the last part of a path, which is empty where the path is the root. */
static int resolve_around(const struct sim_disk *disk, const char *path, struct sim_node **around,
                          char last[256])
{
    struct sim_node *node = disk->tree->root;
    char next[256] = "";
    int error = *path ? next_part(&path, last) : ENOENT;

    while (error == 0) {
        error = next_part(&path, next);
        if (error != 0 || !*next)
            break;
        error = step(SIM_SEEN, &node, last);
        memcpy(last, next, sizeof next);
    }
    if (error == 0 && !node->directory)
        error = ENOTDIR;
    if (error == 0)
        *around = node;
    return error;
}

/* A name in an open directory. */
static int find_name(struct sim_disk *disk, int number, const char *name,
                     struct sim_node **directory, struct sim_node **node)
{
    int error = sim_find_directory(disk, number, directory);

    if (error != 0)
        return error;
    *node = sim_names_find(&(*directory)->seen_names, name);
    return *node ? 0 : ENOENT;
}

/* --- Directories -------------------------------------------------------------------------- */

static int make_directory(struct sim_disk *disk, struct sim_node *around, const char *name)
{
    struct sim_node *node;

    if (!*name || strcmp(name, ".") == 0 || sim_names_find(&around->seen_names, name))
        return EEXIST;
    if (!sim_tree_has_name(disk->tree, around))
        return ENOENT;
    node = sim_tree_add_node(disk->tree, true);
    sim_trace(disk, "make directory '%s' = %llu in %llu", name, (unsigned long long)node->number,
              (unsigned long long)around->number);
    sim_tree_change_name(disk->tree, node, NULL, NULL, around, name);
    return 0;
}

int sim_directory_make(const struct tarn__os *os, int directory, const char *name)
{
    struct sim_disk *disk = sim_enter(os);
    struct sim_node *around = NULL;
    char last[256];
    int error;

    if (directory == TARN__OS_NO_DIRECTORY) {
        error = resolve_around(disk, name, &around, last);
        name = last;
    } else {
        error = sim_find_directory(disk, directory, &around);
    }
    if (error == 0)
        error = make_directory(disk, around, name);
    return sim_leave(disk, error == 0, error);
}

int sim_directory_open(const struct tarn__os *os, int directory, const char *name, int *opened)
{
    struct sim_disk *disk = sim_enter(os);
    struct sim_node *around, *node = NULL;
    int error;

    if (directory == TARN__OS_NO_DIRECTORY)
        error = sim_resolve(disk, SIM_SEEN, name, &node);
    else
        error = find_name(disk, directory, name, &around, &node);
    if (error == 0 && !node->directory)
        error = ENOTDIR;
    if (error == 0)
        error = sim_open_handle(disk, node, false, opened);
    return sim_leave(disk, false, error);
}

/* The names are taken first, since visit may call the table. */
int sim_directory_list(const struct tarn__os *os, int directory, tarn__directory_visit visit,
                       void *context)
{
    struct sim_disk *disk = sim_enter(os);
    struct sim_names names = {0};
    struct sim_node *node = NULL;
    int error = sim_find_directory(disk, directory, &node);

    if (error == 0)
        sim_names_copy(&names, &node->seen_names);
    (void)sim_leave(disk, false, 0);
    for (size_t i = 0; i < names.count; i++)
        if (!visit(context, names.names[i].name))
            break;
    sim_names_release(&names);
    return error;
}

int sim_directory_remove(const struct tarn__os *os, int directory, const char *name)
{
    struct sim_disk *disk = sim_enter(os);
    struct sim_node *around, *node;
    int error = find_name(disk, directory, name, &around, &node);

    if (error == 0 && !node->directory)
        error = ENOTDIR;
    if (error == 0 && node->seen_names.count > 0)
        error = ENOTEMPTY;
    if (error == 0) {
        sim_trace(disk, "remove directory '%s' = %llu in %llu", name,
                  (unsigned long long)node->number, (unsigned long long)around->number);
        sim_tree_change_name(disk->tree, node, around, name, NULL, NULL);
    }
    return sim_leave(disk, error == 0, error);
}

/* --- Names -------------------------------------------------------------------------------- */

static bool is_inside(const struct sim_node *node, const struct sim_node *directory)
{
    if (node == directory)
        return true;
    for (size_t i = 0; i < directory->seen_names.count; i++)
        if (is_inside(node, directory->seen_names.names[i].node))
            return true;
    return false;
}

/* Whether node, of source, may take a name in directory that replaced has, or nobody (NULL). */
static int may_replace(const struct sim_disk *disk, const struct sim_node *source,
                       const struct sim_node *node, const struct sim_node *directory,
                       const struct sim_node *replaced)
{
    if (node->directory && is_inside(directory, node))
        return EINVAL;
    if (replaced && is_inside(source, replaced))
        return ENOTEMPTY;
    if (!replaced)
        return sim_tree_has_name(disk->tree, directory) ? 0 : ENOENT;
    if (node->directory != replaced->directory)
        return node->directory ? ENOTDIR : EISDIR;
    return replaced->seen_names.count > 0 ? ENOTEMPTY : 0;
}

int sim_rename(const struct tarn__os *os, int from_directory, const char *from, int to_directory,
               const char *to)
{
    struct sim_disk *disk = sim_enter(os);
    struct sim_node *source, *target, *node, *replaced;
    int error = find_name(disk, from_directory, from, &source, &node);

    if (error == 0)
        error = sim_find_directory(disk, to_directory, &target);
    if (error != 0)
        return sim_leave(disk, false, error);
    replaced = sim_names_find(&target->seen_names, to);
    if (node == replaced)
        return sim_leave(disk, false, 0);
    error = may_replace(disk, source, node, target, replaced);
    if (error == 0) {
        sim_trace(disk, "rename '%s' in %llu = %llu to '%s' in %llu", from,
                  (unsigned long long)source->number, (unsigned long long)node->number, to,
                  (unsigned long long)target->number);
        sim_tree_change_name(disk->tree, node, source, from, target, to);
    }
    return sim_leave(disk, error == 0, error);
}

int sim_link(const struct tarn__os *os, int from_directory, const char *from, int to_directory,
             const char *to)
{
    struct sim_disk *disk = sim_enter(os);
    struct sim_node *source, *target, *node;
    int error = find_name(disk, from_directory, from, &source, &node);

    if (error == 0)
        error = sim_find_directory(disk, to_directory, &target);
    if (error == 0 && sim_names_find(&target->seen_names, to))
        error = EEXIST;
    if (error == 0 && !sim_tree_has_name(disk->tree, target))
        error = ENOENT;
    if (error == 0 && node->directory)
        error = EPERM;
    if (error == 0) {
        sim_trace(disk, "link %llu to '%s' in %llu", (unsigned long long)node->number, to,
                  (unsigned long long)target->number);
        sim_tree_change_name(disk->tree, node, NULL, NULL, target, to);
    }
    return sim_leave(disk, error == 0, error);
}

int sim_unlink(const struct tarn__os *os, int directory, const char *name)
{
    struct sim_disk *disk = sim_enter(os);
    struct sim_node *around, *node;
    int error = find_name(disk, directory, name, &around, &node);

    if (error == 0 && node->directory)
        error = EISDIR;
    if (error == 0) {
        sim_trace(disk, "unlink '%s' = %llu in %llu", name, (unsigned long long)node->number,
                  (unsigned long long)around->number);
        sim_tree_change_name(disk->tree, node, around, name, NULL, NULL);
    }
    return sim_leave(disk, error == 0, error);
}

static int create_file(struct sim_disk *disk, struct sim_node *around, const char *name,
                       int *opened)
{
    struct sim_node *node;
    int error;

    if (sim_names_find(&around->seen_names, name))
        return EEXIST;
    if (!sim_tree_has_name(disk->tree, around))
        return ENOENT;
    node = sim_tree_add_node(disk->tree, false);
    error = sim_open_handle(disk, node, true, opened);
    if (error != 0)
        return error; /* the node goes with the next sweep */
    sim_trace(disk, "create '%s' = %llu in %llu", name, (unsigned long long)node->number,
              (unsigned long long)around->number);
    sim_tree_change_name(disk->tree, node, NULL, NULL, around, name);
    return 0;
}

int sim_file_open(const struct tarn__os *os, int directory, const char *name,
                  enum tarn__open_mode mode, int *opened)
{
    struct sim_disk *disk = sim_enter(os);
    struct sim_node *around, *node;
    int error;

    if (mode == TARN__OPEN_CREATE) {
        error = sim_find_directory(disk, directory, &around);
        if (error == 0)
            error = create_file(disk, around, name, opened);
        return sim_leave(disk, error == 0, error);
    }
    error = find_name(disk, directory, name, &around, &node);
    if (error == 0 && node->directory)
        error = EISDIR;
    if (error == 0)
        error = sim_open_handle(disk, node, mode == TARN__OPEN_READ_WRITE, opened);
    return sim_leave(disk, false, error);
}

int sim_directory_sync(const struct tarn__os *os, int directory)
{
    struct sim_disk *disk = sim_enter(os);
    struct sim_node *node;
    int error = sim_find_directory(disk, directory, &node);
    bool fails;

    if (error != 0)
        return sim_leave(disk, false, error);
    fails = sim_sync_fails(disk);
    if (fails)
        sim_tree_drop_directory(disk->tree, node, disk->failure == SIM_SYNC_FAILS_REVERTED);
    else
        sim_tree_sync_directory(disk->tree, node);
    sim_trace(disk, "sync directory %llu%s", (unsigned long long)node->number,
              sim_sync_outcome(disk, fails));
    return sim_leave(disk, true, fails ? EIO : 0);
}
