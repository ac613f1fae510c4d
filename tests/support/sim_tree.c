/*
 * Files and directories, seen and kept, and the pieces between: see sim_tree.h.
 *
 * What always holds: pieces are in the order of their operations, and each of them belongs to nodes
 * of the tree; kept of a file has nothing behind its size, since a write that goes beyond
 * size_on_way makes a piece `grow` before its sectors.
 */
#include "sim_tree.h"

#include <stdlib.h>
#include <string.h>

#define SWEEP_NODES_MIN 32

/* --- Names -------------------------------------------------------------------------------- */

static char *copy_text(const char *text)
{
    size_t bytes = text ? strlen(text) + 1 : 0;

    return text ? memcpy(sim_allocate(bytes), text, bytes) : NULL;
}

static struct sim_name *find(const struct sim_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->names[i].name, name) == 0)
            return &names->names[i];
    return NULL;
}

struct sim_node *sim_names_find(const struct sim_names *names, const char *name)
{
    const struct sim_name *found = find(names, name);

    return found ? found->node : NULL;
}

void sim_names_put(struct sim_names *names, const char *name, struct sim_node *node)
{
    struct sim_name *found = find(names, name);

    if (!found) {
        names->names = sim_grow(names->names, &names->room, names->count + 1, sizeof *names->names);
        found = &names->names[names->count++];
        found->name = copy_text(name);
    }
    found->node = node;
}

void sim_names_remove(struct sim_names *names, const char *name)
{
    struct sim_name *found = find(names, name);

    if (!found)
        return;
    free(found->name);
    *found = names->names[--names->count];
}

void sim_names_copy(struct sim_names *to, const struct sim_names *from)
{
    to->names = sim_grow(NULL, &to->room, from->count, sizeof *to->names);
    to->count = from->count;
    for (size_t i = 0; i < to->count; i++) {
        to->names[i].name = copy_text(from->names[i].name);
        to->names[i].node = from->names[i].node;
    }
}

void sim_names_release(struct sim_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->names[i].name);
    free(names->names);
    memset(names, 0, sizeof *names);
}

/* --- Nodes and pieces --------------------------------------------------------------------- */

struct sim_node *sim_tree_add_node(struct sim_tree *tree, bool directory)
{
    struct sim_node *node = sim_allocate(sizeof *node);

    tree->nodes =
        sim_grow(tree->nodes, &tree->node_room, tree->node_count + 1, sizeof *tree->nodes);
    tree->nodes[tree->node_count++] = node;
    node->number = tree->next_number++;
    node->directory = directory;
    if (!directory) {
        node->seen = sim_content_new();
        node->kept = sim_content_new();
    }
    return node;
}

static void free_node(struct sim_node *node)
{
    sim_content_release(node->seen);
    sim_content_release(node->kept);
    sim_content_release(node->work);
    sim_names_release(&node->seen_names);
    sim_names_release(&node->kept_names);
    sim_names_release(&node->work_names);
    free(node);
}

static struct sim_piece *add_piece(struct sim_tree *tree, enum sim_piece_kind kind,
                                   struct sim_node *node)
{
    struct sim_piece *piece;

    tree->pieces =
        sim_grow(tree->pieces, &tree->piece_room, tree->piece_count + 1, sizeof *tree->pieces);
    piece = &tree->pieces[tree->piece_count++];
    memset(piece, 0, sizeof *piece);
    piece->kind = kind;
    piece->operation = tree->operation;
    piece->node = node;
    return piece;
}

static void release_piece(struct sim_piece *piece)
{
    sim_sector_release(piece->sector);
    free(piece->from);
    free(piece->to);
}

/* Takes out of the list each piece that is marked by having no node. */
static void remove_marked_pieces(struct sim_tree *tree)
{
    size_t left = 0;

    for (size_t i = 0; i < tree->piece_count; i++) {
        if (tree->pieces[i].node)
            tree->pieces[left++] = tree->pieces[i];
        else
            release_piece(&tree->pieces[i]);
    }
    tree->piece_count = left;
}

bool sim_tree_has_name(const struct sim_tree *tree, const struct sim_node *node)
{
    if (node == tree->root)
        return true;
    for (size_t i = 0; i < tree->node_count; i++)
        for (size_t j = 0; j < tree->nodes[i]->seen_names.count; j++)
            if (tree->nodes[i]->seen_names.names[j].node == node)
                return true;
    return false;
}

struct sim_tree *sim_tree_new(void)
{
    struct sim_tree *tree = sim_allocate(sizeof *tree);

    tree->sweep_at = SWEEP_NODES_MIN;
    tree->next_number = 1;
    tree->root = sim_tree_add_node(tree, true);
    return tree;
}

void sim_tree_free(struct sim_tree *tree)
{
    if (!tree)
        return;
    for (size_t i = 0; i < tree->piece_count; i++)
        release_piece(&tree->pieces[i]);
    for (size_t i = 0; i < tree->node_count; i++)
        free_node(tree->nodes[i]);
    free(tree->pieces);
    free(tree->nodes);
    free(tree);
}

/* --- Sweeping ----------------------------------------------------------------------------- */

static void reach(struct sim_node *node)
{
    if (!node || node->reached)
        return;
    node->reached = true;
    for (size_t i = 0; i < node->seen_names.count; i++)
        reach(node->seen_names.names[i].node);
    for (size_t i = 0; i < node->kept_names.count; i++)
        reach(node->kept_names.names[i].node);
}

static bool is_reached(const struct sim_node *node)
{
    return node && node->reached;
}

/* A pending name in a directory that can be reached leads to more. */
static void reach_by_pending_names(struct sim_tree *tree)
{
    bool more = true;

    while (more) {
        more = false;
        for (size_t i = 0; i < tree->piece_count; i++) {
            const struct sim_piece *piece = &tree->pieces[i];

            if (piece->kind != SIM_PIECE_NAME ||
                !(is_reached(piece->from_directory) || is_reached(piece->to_directory)))
                continue;
            more = more || !piece->node->reached ||
                   (piece->from_directory && !piece->from_directory->reached) ||
                   (piece->to_directory && !piece->to_directory->reached);
            reach(piece->node);
            reach(piece->from_directory);
            reach(piece->to_directory);
        }
    }
}

void sim_tree_sweep(struct sim_tree *tree)
{
    size_t left = 0;

    for (size_t i = 0; i < tree->node_count; i++)
        tree->nodes[i]->reached = false;
    reach(tree->root);
    for (size_t i = 0; i < tree->node_count; i++)
        if (tree->nodes[i]->users > 0)
            reach(tree->nodes[i]);
    reach_by_pending_names(tree);

    for (size_t i = 0; i < tree->piece_count; i++) {
        struct sim_piece *piece = &tree->pieces[i];

        if (piece->kind == SIM_PIECE_NAME
                ? !is_reached(piece->from_directory) && !is_reached(piece->to_directory)
                : !piece->node->reached)
            piece->node = NULL;
    }
    remove_marked_pieces(tree);
    for (size_t i = 0; i < tree->node_count; i++) {
        if (tree->nodes[i]->reached)
            tree->nodes[left++] = tree->nodes[i];
        else
            free_node(tree->nodes[i]);
    }
    tree->node_count = left;
    tree->sweep_at = 2 * left > SWEEP_NODES_MIN ? 2 * left : SWEEP_NODES_MIN;
}

/* --- Copies ------------------------------------------------------------------------------- */

static void copy_names(struct sim_names *to, const struct sim_names *from)
{
    sim_names_copy(to, from);
    for (size_t i = 0; i < to->count; i++)
        to->names[i].node = to->names[i].node->copy;
}

static struct sim_node *copy_of(struct sim_node *node)
{
    return node ? node->copy : NULL;
}

static void copy_pieces(struct sim_tree *to, const struct sim_tree *from)
{
    to->pieces = sim_grow(NULL, &to->piece_room, from->piece_count, sizeof *to->pieces);
    to->piece_count = from->piece_count;
    for (size_t i = 0; i < from->piece_count; i++) {
        struct sim_piece *piece = &to->pieces[i];

        *piece = from->pieces[i];
        piece->node = copy_of(piece->node);
        piece->from_directory = copy_of(piece->from_directory);
        piece->to_directory = copy_of(piece->to_directory);
        piece->from = copy_text(piece->from);
        piece->to = copy_text(piece->to);
        sim_sector_share(piece->sector);
    }
}

struct sim_tree *sim_tree_copy(const struct sim_tree *tree, enum sim_copy how)
{
    bool settled = how == SIM_COPY_SETTLED;
    struct sim_tree *copy = sim_allocate(sizeof *copy);

    copy->nodes = sim_grow(NULL, &copy->node_room, tree->node_count, sizeof *copy->nodes);
    copy->node_count = tree->node_count;
    copy->sweep_at = tree->sweep_at;
    copy->next_number = tree->next_number;
    copy->operation = tree->operation;
    for (size_t i = 0; i < tree->node_count; i++) {
        copy->nodes[i] = sim_allocate(sizeof *copy->nodes[i]);
        tree->nodes[i]->copy = copy->nodes[i];
    }
    copy->root = tree->root->copy;
    for (size_t i = 0; i < tree->node_count; i++) {
        const struct sim_node *node = tree->nodes[i];
        struct sim_node *twin = copy->nodes[i];

        twin->number = node->number;
        twin->directory = node->directory;
        if (how != SIM_COPY_KEPT)
            copy_names(&twin->seen_names, &node->seen_names);
        copy_names(&twin->kept_names, settled ? &node->seen_names : &node->kept_names);
        if (node->directory)
            continue;
        twin->seen = sim_content_share(node->seen);
        twin->kept = sim_content_share(settled ? node->seen : node->kept);
        twin->size_on_way = settled ? node->seen->size : node->size_on_way;
    }
    if (!settled)
        copy_pieces(copy, tree);
    sim_tree_sweep(copy);
    return copy;
}

/* --- Changes ------------------------------------------------------------------------------ */

/* The program has a file grow to end, of which [data_begin, end) was written. */
static void grow(struct sim_tree *tree, struct sim_node *file, uint64_t data_begin, uint64_t end)
{
    struct sim_piece *piece;

    if (end > file->seen->size)
        file->seen->size = end;
    if (end <= file->size_on_way)
        return;
    piece = add_piece(tree, SIM_PIECE_GROW, file);
    piece->size = end;
    piece->data_begin = data_begin > file->size_on_way ? data_begin : file->size_on_way;
    piece->data_end = end;
    file->size_on_way = end;
}

void sim_tree_write(struct sim_tree *tree, struct sim_node *file, uint64_t offset,
                    const void *bytes, size_t length, bool mapped)
{
    uint64_t end = offset + length;

    if (length == 0)
        return;
    sim_content_own(&file->seen);
    sim_content_write(file->seen, offset, bytes, length);
    grow(tree, file, offset, end);
    while (offset < end) {
        size_t begin = offset % SIM_SECTOR_BYTES;
        size_t index = offset / SIM_SECTOR_BYTES;
        size_t part = SIM_SECTOR_BYTES - begin < end - offset ? SIM_SECTOR_BYTES - begin
                                                              : (size_t)(end - offset);
        struct sim_piece *piece = add_piece(tree, SIM_PIECE_SECTOR, file);

        piece->index = index;
        piece->sector = sim_sector_share(sim_content_sector(file->seen, index));
        piece->begin = begin;
        piece->end = begin + part;
        piece->mapped = mapped;
        offset += part;
    }
}

void sim_tree_resize(struct sim_tree *tree, struct sim_node *file, uint64_t size)
{
    struct sim_piece *piece;

    sim_content_own(&file->seen);
    if (size >= file->size_on_way) {
        sim_content_cut(file->seen, size);
        grow(tree, file, size, size);
        return;
    }
    sim_content_cut(file->seen, size);
    piece = add_piece(tree, SIM_PIECE_CUT, file);
    piece->size = size;
    file->size_on_way = size;
}

void sim_tree_change_name(struct sim_tree *tree, struct sim_node *node,
                          struct sim_node *from_directory, const char *from,
                          struct sim_node *to_directory, const char *to)
{
    struct sim_piece *piece = add_piece(tree, SIM_PIECE_NAME, node);

    piece->from_directory = from_directory;
    piece->from = copy_text(from);
    piece->to_directory = to_directory;
    piece->to = copy_text(to);
    if (from)
        sim_names_remove(&from_directory->seen_names, from);
    if (to)
        sim_names_put(&to_directory->seen_names, to, node);
    if (tree->node_count >= tree->sweep_at)
        sim_tree_sweep(tree);
}

/* --- Syncing ------------------------------------------------------------------------------ */

void sim_piece_reach_content(const struct sim_piece *piece, struct sim_content *content)
{
    if (piece->kind == SIM_PIECE_SECTOR)
        sim_content_set(content, piece->index, piece->sector);
    else if (piece->kind == SIM_PIECE_CUT)
        sim_content_cut(content, piece->size);
    else if (piece->kind == SIM_PIECE_GROW && content->size < piece->size)
        content->size = piece->size;
}

void sim_tree_sync_file(struct sim_tree *tree, struct sim_node *file)
{
    sim_content_own(&file->kept);
    for (size_t i = 0; i < tree->piece_count; i++) {
        struct sim_piece *piece = &tree->pieces[i];

        if (piece->node != file || piece->kind == SIM_PIECE_NAME)
            continue;
        sim_piece_reach_content(piece, file->kept);
        piece->node = NULL;
    }
    remove_marked_pieces(tree);
}

static bool same_name(const struct sim_node *directory, const char *name,
                      const struct sim_node *other_directory, const char *other)
{
    return name && other && directory == other_directory && strcmp(name, other) == 0;
}

static bool share_a_name(const struct sim_piece *a, const struct sim_piece *b)
{
    return same_name(a->from_directory, a->from, b->from_directory, b->from) ||
           same_name(a->from_directory, a->from, b->to_directory, b->to) ||
           same_name(a->to_directory, a->to, b->from_directory, b->from) ||
           same_name(a->to_directory, a->to, b->to_directory, b->to);
}

static bool touches(const struct sim_piece *piece, const struct sim_node *directory)
{
    return piece->kind == SIM_PIECE_NAME &&
           (piece->from_directory == directory || piece->to_directory == directory);
}

/* Whether a piece has to be there before one that is taken and comes later. */
static bool comes_before_taken(const struct sim_tree *tree, size_t place, const bool *taken)
{
    if (tree->pieces[place].kind != SIM_PIECE_NAME)
        return false;
    for (size_t i = place + 1; i < tree->piece_count; i++)
        if (taken[i] && share_a_name(&tree->pieces[place], &tree->pieces[i]))
            return true;
    return false;
}

void sim_tree_sync_directory(struct sim_tree *tree, struct sim_node *directory)
{
    bool *taken = sim_allocate(tree->piece_count + 1);

    for (size_t i = tree->piece_count; i-- > 0;)
        taken[i] = touches(&tree->pieces[i], directory) || comes_before_taken(tree, i, taken);
    for (size_t i = 0; i < tree->piece_count; i++) {
        struct sim_piece *piece = &tree->pieces[i];

        if (!taken[i])
            continue;
        if (piece->from &&
            sim_names_find(&piece->from_directory->kept_names, piece->from) == piece->node)
            sim_names_remove(&piece->from_directory->kept_names, piece->from);
        if (piece->to)
            sim_names_put(&piece->to_directory->kept_names, piece->to, piece->node);
        piece->node = NULL;
    }
    free(taken);
    remove_marked_pieces(tree);
    sim_tree_sweep(tree);
}

void sim_tree_drop_file(struct sim_tree *tree, struct sim_node *file, bool reverted)
{
    sim_content_own(&file->seen);
    for (size_t i = 0; i < tree->piece_count; i++) {
        struct sim_piece *piece = &tree->pieces[i];

        if (piece->node != file || piece->kind == SIM_PIECE_NAME)
            continue;
        if (reverted && piece->kind == SIM_PIECE_SECTOR)
            sim_content_set(file->seen, piece->index, sim_content_sector(file->kept, piece->index));
        piece->node = NULL;
    }
    remove_marked_pieces(tree);
    sim_content_cut(file->seen, file->seen->size); /* kept may have more in its last sector */
    file->size_on_way = file->kept->size;
    /* A file that was cut off stays so in what the system has in mind of it. */
    if (file->seen->size < file->size_on_way)
        sim_tree_resize(tree, file, file->seen->size);
}

static void revert_name(struct sim_node *directory, const char *name)
{
    struct sim_node *kept;

    if (!name)
        return;
    kept = sim_names_find(&directory->kept_names, name);
    if (kept)
        sim_names_put(&directory->seen_names, name, kept);
    else
        sim_names_remove(&directory->seen_names, name);
}

void sim_tree_drop_directory(struct sim_tree *tree, struct sim_node *directory, bool reverted)
{
    for (size_t i = 0; i < tree->piece_count; i++) {
        struct sim_piece *piece = &tree->pieces[i];

        if (!touches(piece, directory))
            continue;
        if (reverted) {
            revert_name(piece->from_directory, piece->from);
            revert_name(piece->to_directory, piece->to);
        }
        piece->node = NULL;
    }
    remove_marked_pieces(tree);
}
