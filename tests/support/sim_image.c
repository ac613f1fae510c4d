/*
 * Images of a disk after a power cut: see sim_image.h.
 *
 * Between prepare and reset, a node whose content or names differ from what is kept has them in
 * `work` or `work_names`.
 */
#include "sim_image.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

/* --- Which piece of a sector stays --------------------------------------------------------- */

static size_t place_of(const struct sim_piece *piece, size_t slots)
{
    return sim_mix(piece->node->number, piece->index) & (slots - 1);
}

static bool same_sector(const struct sim_piece *a, const struct sim_piece *b)
{
    return a->node == b->node && a->index == b->index;
}

/* From the last piece to the first; a table by sector tells the last one met. */
static void find_next(const struct sim_tree *tree, size_t *next)
{
    size_t slots = 16;
    size_t *met;

    while (slots < 2 * tree->piece_count)
        slots *= 2;
    met = sim_allocate(slots * sizeof *met);
    for (size_t i = tree->piece_count; i-- > 0;) {
        const struct sim_piece *piece = &tree->pieces[i];
        size_t place;

        next[i] = SIZE_MAX;
        if (piece->kind != SIM_PIECE_SECTOR)
            continue;
        place = place_of(piece, slots);
        while (met[place] != 0 && !same_sector(&tree->pieces[met[place] - 1], piece))
            place = (place + 1) & (slots - 1);
        if (met[place] != 0)
            next[i] = met[place] - 1;
        met[place] = i + 1;
    }
    free(met);
}

void sim_image_begin(const struct sim_tree *tree, struct sim_choice *choice)
{
    choice->chosen = sim_allocate(tree->piece_count + 1);
    choice->next = sim_allocate((tree->piece_count + 1) * sizeof *choice->next);
    choice->torn = SIZE_MAX;
    find_next(tree, choice->next);
}

/* Whether a later piece of the same sector has come, so that this one makes no difference. */
static bool is_overwritten(const struct sim_choice *choice, size_t place)
{
    for (place = choice->next[place]; place != SIZE_MAX; place = choice->next[place])
        if (choice->chosen[place])
            return true;
    return false;
}

/* Whether a piece is one of size whose data, which comes right behind it, is not all there. */
static bool lacks_data(const struct sim_tree *tree, const struct sim_choice *choice, size_t place)
{
    const struct sim_piece *size = &tree->pieces[place];

    if (size->kind != SIM_PIECE_GROW || size->data_begin == size->data_end)
        return false;
    for (size_t i = place + 1;
         i < tree->piece_count && tree->pieces[i].operation == size->operation; i++)
        if (!choice->chosen[i] && !is_overwritten(choice, i))
            return true;
    return false;
}

bool sim_image_has_room_for_garbage(const struct sim_tree *tree, const struct sim_choice *choice)
{
    for (size_t i = 0; i < tree->piece_count; i++)
        if (choice->chosen[i] && lacks_data(tree, choice, i))
            return true;
    return false;
}

/* --- Letting pieces reach the disk -------------------------------------------------------- */

static struct sim_content *content_to_change(struct sim_node *file)
{
    if (!file->work) {
        file->work = sim_content_share(file->kept);
        sim_content_own(&file->work);
    }
    return file->work;
}

static struct sim_names *names_to_change(struct sim_node *directory)
{
    if (!directory->has_work_names) {
        sim_names_copy(&directory->work_names, &directory->kept_names);
        directory->has_work_names = true;
    }
    return &directory->work_names;
}

static void fill_with_garbage(struct sim_content *content, const struct sim_piece *piece)
{
    uint8_t bytes[SIM_SECTOR_BYTES];
    uint64_t next = piece->data_begin;

    while (next < piece->data_end) {
        size_t length =
            piece->data_end - next < sizeof bytes ? (size_t)(piece->data_end - next) : sizeof bytes;

        for (size_t i = 0; i < length; i++)
            bytes[i] = (uint8_t)(sim_mix(piece->node->number, next + i) | 1); /* never zero */
        sim_content_write(content, next, bytes, length);
        next += length;
    }
}

static void tear(struct sim_content *content, const struct sim_piece *piece,
                 const struct sim_choice *choice)
{
    sim_content_write(content, piece->index * (uint64_t)SIM_SECTOR_BYTES + choice->torn_from,
                      sim_sector_bytes(piece->sector) + choice->torn_from,
                      choice->torn_to - choice->torn_from);
}

/*
 * Takes away the name that a rename or unlink is to take away. Where the rename that gave the node
 * this name is not there, it is the name before that: a renamed file never has both names.
 */
static void remove_source(struct sim_tree *tree, const struct sim_choice *choice, size_t place)
{
    struct sim_node *node = tree->pieces[place].node;
    struct sim_node *directory = tree->pieces[place].from_directory;
    const char *name = tree->pieces[place].from;

    if (sim_names_find(names_to_change(directory), name) == node) {
        sim_names_remove(names_to_change(directory), name);
        return;
    }
    while (place-- > 0) {
        const struct sim_piece *before = &tree->pieces[place];

        if (before->kind != SIM_PIECE_NAME || before->node != node || !before->to ||
            before->to_directory != directory || strcmp(before->to, name) != 0)
            continue;
        if (choice->chosen[place] || !before->from)
            return;
        directory = before->from_directory;
        name = before->from;
        if (sim_names_find(names_to_change(directory), name) == node) {
            sim_names_remove(names_to_change(directory), name);
            return;
        }
    }
}

static void reach_disk(struct sim_tree *tree, const struct sim_choice *choice, size_t place)
{
    const struct sim_piece *piece = &tree->pieces[place];

    if (piece->kind != SIM_PIECE_NAME) {
        struct sim_content *content = content_to_change(piece->node);

        if (!is_overwritten(choice, place))
            sim_piece_reach_content(piece, content);
        if (choice->garbage && lacks_data(tree, choice, place))
            fill_with_garbage(content, piece);
        return;
    }
    if (piece->from)
        remove_source(tree, choice, place);
    if (piece->to)
        sim_names_put(names_to_change(piece->to_directory), piece->to, piece->node);
}

/* --- Looking at the result ---------------------------------------------------------------- */

static struct sim_content *content_of(const struct sim_node *file)
{
    return file->work ? file->work : file->kept;
}

static const struct sim_names *names_of(const struct sim_node *directory)
{
    return directory->has_work_names ? &directory->work_names : &directory->kept_names;
}

static uint64_t hash_of(const struct sim_node *node)
{
    const struct sim_names *names = names_of(node);
    uint64_t sum = 1;

    if (!node->directory)
        return sim_mix(content_of(node)->hash, content_of(node)->size);
    for (size_t i = 0; i < names->count; i++) {
        const char *name = names->names[i].name;

        sum += sim_mix(XXH3_64bits(name, strlen(name)), hash_of(names->names[i].node));
    }
    return sim_mix(sum, names->count);
}

uint64_t sim_image_prepare(struct sim_tree *tree, const struct sim_choice *choice)
{
    for (size_t i = 0; i < tree->piece_count; i++) {
        if (choice->chosen[i])
            reach_disk(tree, choice, i);
        else if (i == choice->torn)
            tear(content_to_change(tree->pieces[i].node), &tree->pieces[i], choice);
    }
    for (size_t i = 0; i < tree->node_count; i++) {
        struct sim_content *content = tree->nodes[i]->work;

        if (content)
            sim_content_cut(content, content->size);
    }
    return hash_of(tree->root);
}

void sim_image_reset(struct sim_tree *tree)
{
    for (size_t i = 0; i < tree->node_count; i++) {
        struct sim_node *node = tree->nodes[i];

        sim_content_release(node->work);
        node->work = NULL;
        if (node->has_work_names)
            sim_names_release(&node->work_names);
        node->has_work_names = false;
        node->copy = NULL;
    }
}

/* --- Building a tree ---------------------------------------------------------------------- */

/* Makes node's twin in the image and all that is in it. A file with two names is one file. */
static void build(struct sim_tree *image, const struct sim_node *node, struct sim_node *twin)
{
    const struct sim_names *names = names_of(node);

    twin->number = node->number;
    if (!node->directory) {
        sim_content_release(twin->seen);
        sim_content_release(twin->kept);
        twin->seen = sim_content_share(content_of(node));
        twin->kept = sim_content_share(content_of(node));
        twin->size_on_way = twin->kept->size;
        return;
    }
    for (size_t i = 0; i < names->count; i++) {
        struct sim_node *child = names->names[i].node;

        if (!child->copy) {
            child->copy = sim_tree_add_node(image, child->directory);
            build(image, child, child->copy);
        }
        sim_names_put(&twin->seen_names, names->names[i].name, child->copy);
        sim_names_put(&twin->kept_names, names->names[i].name, child->copy);
    }
}

struct sim_tree *sim_image_build(const struct sim_tree *tree)
{
    struct sim_tree *image = sim_tree_new();

    build(image, tree->root, image->root);
    image->next_number = tree->next_number;
    return image;
}
