/* SPDX-License-Identifier: Apache-2.0 */
/* Deliberately broken agents, to show that the simulator's checkers find them. Only the targets
 * covey_agent_broken_* of a simulator build define COVEY_BROKEN; everywhere else COVEY_BREAKS() is
 * the constant 0 and leaves nothing behind. */
#ifndef COVEY_BROKEN_H
#define COVEY_BROKEN_H

#define COVEY_BROKEN_SKIP_SIGNATURE 1 /* takes manifests that nobody signed */
#define COVEY_BROKEN_RECOUNT 2        /* merges a frozen window that was sent once more */
#define COVEY_BROKEN_FORGET_CONFIRM 3 /* says CONFIRMED without journaling it */
#define COVEY_BROKEN_NO_MAC 4         /* accepts goals with a bad MAC */
#define COVEY_BROKEN_FORGET_OUTBOX 5  /* a new boot does not look into the outbox */
#define COVEY_BROKEN_NO_BACKOFF 6     /* repeats as if each time were the first */

#ifdef COVEY_BROKEN
#define COVEY_BREAKS(what) (COVEY_BROKEN == COVEY_BROKEN_##what)
#else
#define COVEY_BREAKS(what) 0
#endif

#endif
