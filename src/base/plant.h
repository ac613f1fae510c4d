/*
 * Planted bugs, for the proof that the tests of crashes find them: see tests/crash. The library
 * that people use has none: there TARN__PLANTED() is the constant 0, and its branch is gone.
 *
 * A test builds the sources a second time with TARN_PLANTED_BUGS and sets the number of the one
 * bug that is switched on; 0 is none.
 */
#ifndef TARN_BASE_PLANT_H
#define TARN_BASE_PLANT_H

enum tarn__plant {
    TARN__PLANT_NEWEST_BY_CLOCK = 1, /* the newest snapshot is the one with the latest clock */
    TARN__PLANT_NEWEST_BY_NAME,      /* ... the one that comes first by its name */
    TARN__PLANT_SEQUENCE_NOT_RAISED, /* at opening, by the snapshots that are there */
    TARN__PLANT_SUCCESSOR,           /* a dropped namespace's snapshot fits one of its name */
    TARN__PLANT_NUMBERS_BEGIN_ANEW,  /* at opening, those that tell namespaces apart */
    TARN__PLANTS
};

#ifdef TARN_PLANTED_BUGS
extern int tarn__planted;
#define TARN__PLANTED(number) (tarn__planted == (number))
#else
#define TARN__PLANTED(number) 0
#endif

#endif
