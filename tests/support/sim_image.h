/*
 * What a power cut leaves of a simulated disk, for one choice of the pending pieces.
 *
 * The work is done in the tree's own nodes, of which the caller has a copy to itself: prepare lets
 * the chosen pieces reach what is kept, in their order, and tells the hash of the result; build
 * makes a tree of it; reset forgets it. So an image that was seen already costs no tree.
 *
 * The hash is over paths and bytes alone: images that a program cannot tell apart have the same,
 * and others have another one but for an accident of 64 bits.
 */
#ifndef TARN_TESTS_SIM_IMAGE_H
#define TARN_TESTS_SIM_IMAGE_H

#include "sim_tree.h"

struct sim_choice {
    bool *chosen;     /* one for each piece */
    size_t *next;     /* for each sector piece the next one of the same sector; SIZE_MAX: none */
    size_t torn;      /* a piece that is not chosen, of kind sector; SIZE_MAX: none */
    size_t torn_from; /* the bytes of it that reach the disk, */
    size_t torn_to;   /* up to this one */
    bool garbage;     /* in bytes that the size covers and that were to be written */
};

/* Makes `chosen`, with nothing chosen, and `next`; to be given to free(). */
void sim_image_begin(const struct sim_tree *tree, struct sim_choice *choice);

/* Whether the choice leaves bytes for garbage: a size without all of the data that it is for. */
bool sim_image_has_room_for_garbage(const struct sim_tree *tree, const struct sim_choice *choice);

uint64_t sim_image_prepare(struct sim_tree *tree, const struct sim_choice *choice);
struct sim_tree *sim_image_build(const struct sim_tree *tree);
void sim_image_reset(struct sim_tree *tree);

#endif
