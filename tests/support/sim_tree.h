/*
 * The files and directories of the simulated disk, twice: as the program sees them, and as they are
 * kept when the power goes; and what lies between the two, the pending pieces.
 *
 *                   write, truncate, rename, ...
 *     program ----------+----------------------> seen   (content of files, names of directories)
 *                       |
 *                       +--> pieces, in the order of the operations
 *                               |  sync: those of this file, of this directory
 *                               +--------------> kept
 *
 * A piece is what reaches the disk as a whole, or not at all:
 *   sector   512 bytes of a file as they were after one operation, not the change alone: a sector
 *            on the disk is one of those that the cache has held. Of several pieces of one sector
 *            the last one that reaches the disk stays.
 *   grow     a larger size. Data bytes that it covers are zeros or garbage until their sectors
 *            come; what no write covers is zeros.
 *   cut      a smaller size; what is behind it becomes zero.
 *   name     a name that comes, goes, or does both at once (rename).
 *
 * After a sync that failed, nothing of what it should have made durable is pending any more, and
 * seen may be ahead of kept for ever: size_on_way is the size that kept will have once all pieces
 * have come, and a write beyond it is a piece `grow` even where the program sees no growth.
 *
 * A node (file or directory) lives as long as a name, a pending name, a handle or a mapping leads
 * to it; the rest is swept from time to time. Nothing here is locked: the disk's mutex is around
 * it. Nothing here fails.
 */
#ifndef TARN_TESTS_SIM_TREE_H
#define TARN_TESTS_SIM_TREE_H

#include "sim_content.h"

struct sim_node;

struct sim_name {
    struct sim_node *node;
    char *name;
};

/* The names in one directory, in no order. */
struct sim_names {
    struct sim_name *names;
    size_t count;
    size_t room;
};

struct sim_node {
    uint64_t number; /* of its own on this disk, as the trace tells it */
    bool directory;
    unsigned users; /* handles and mappings */

    struct sim_content *seen, *kept; /* of a file */
    uint64_t size_on_way;
    struct sim_names seen_names, kept_names; /* of a directory */

    /* For walks and copies; mean nothing between two calls. */
    bool reached;
    struct sim_node *copy;
    struct sim_content *work;
    struct sim_names work_names;
    bool has_work_names;
};

enum sim_piece_kind { SIM_PIECE_SECTOR, SIM_PIECE_GROW, SIM_PIECE_CUT, SIM_PIECE_NAME };

struct sim_piece {
    enum sim_piece_kind kind;
    uint64_t operation; /* which one made it */
    struct sim_node *node;

    /* sector: its place, its bytes, and which of them the operation wrote */
    size_t index;
    struct sim_sector *sector;
    size_t begin, end;
    bool mapped; /* stored through a mapping */

    /* grow and cut; grow: the bytes in it that were written */
    uint64_t size;
    uint64_t data_begin, data_end;

    /* name: NULL where there is none */
    struct sim_node *from_directory, *to_directory;
    char *from, *to;
};

struct sim_tree {
    struct sim_node **nodes;
    size_t node_count, node_room, sweep_at;
    struct sim_node *root;
    uint64_t next_number;
    uint64_t operation; /* the number of the one that is going on */
    struct sim_piece *pieces;
    size_t piece_count, piece_room;
};

/* A tree with an empty root, durable. */
struct sim_tree *sim_tree_new(void);
void sim_tree_free(struct sim_tree *tree); /* NULL is allowed */

/* A copy without users. */
enum sim_copy {
    SIM_COPY_SETTLED, /* all that is seen is kept, and nothing is pending */
    SIM_COPY_PENDING, /* what is pending is pending there too */
    SIM_COPY_KEPT,    /* the same, but no name is seen: what a power cut may leave */
};
struct sim_tree *sim_tree_copy(const struct sim_tree *tree, enum sim_copy how);

/* A new node without names. */
struct sim_node *sim_tree_add_node(struct sim_tree *tree, bool directory);

/* Whether the program sees a name of it anywhere; the root counts as named. */
bool sim_tree_has_name(const struct sim_tree *tree, const struct sim_node *node);

/* Frees the nodes to which nothing leads, and the pieces that can mean nothing any more. */
void sim_tree_sweep(struct sim_tree *tree);

/* Names. find gives NULL where there is none; remove and put know only this table. */
struct sim_node *sim_names_find(const struct sim_names *names, const char *name);
void sim_names_put(struct sim_names *names, const char *name, struct sim_node *node);
void sim_names_remove(struct sim_names *names, const char *name);
void sim_names_copy(struct sim_names *to, const struct sim_names *from); /* to is empty */
void sim_names_release(struct sim_names *names);

/* Changes what is seen, and adds the pieces. change_name: a node gets a name, loses one, or both;
 * what is not is NULL. */
void sim_tree_write(struct sim_tree *tree, struct sim_node *file, uint64_t offset,
                    const void *bytes, size_t length, bool mapped);
void sim_tree_resize(struct sim_tree *tree, struct sim_node *file, uint64_t size);
void sim_tree_change_name(struct sim_tree *tree, struct sim_node *node,
                          struct sim_node *from_directory, const char *from,
                          struct sim_node *to_directory, const char *to);

/* Makes a file's data and size durable, or the names of a directory. What a rename between two
 * directories does is durable with the first of them that is synced, and with it whatever came
 * before under the same names. */
void sim_tree_sync_file(struct sim_tree *tree, struct sim_node *file);
void sim_tree_sync_directory(struct sim_tree *tree, struct sim_node *directory);

/* What a failed sync does: drops the pieces. reverted: what they were is not seen any longer either
 * (but the size of a file is, and a file that was cut off stays cut off, still pending). */
void sim_tree_drop_file(struct sim_tree *tree, struct sim_node *file, bool reverted);
void sim_tree_drop_directory(struct sim_tree *tree, struct sim_node *directory, bool reverted);

/* Lets a sector, grow or cut piece reach a content that is the caller's alone. */
void sim_piece_reach_content(const struct sim_piece *piece, struct sim_content *content);

#endif
