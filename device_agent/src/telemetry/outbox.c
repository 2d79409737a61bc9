/* SPDX-License-Identifier: Apache-2.0 */
/* The outbox: windows that wait for their acknowledgement, in the port's places, which a loss of
 * power does not reach. A record is a Report, not sealed, and its CRC-32.
 *
 * What a record says is counted once, because its number is the window's: a cell is kept under the
 * number that it will have when it is frozen. Should it grow before that, and be acknowledged, and
 * the power fail before the older record is gone, then the gateway knows the number already. After
 * a reboot the records of earlier boots go first, one after the other, and before any window of
 * this boot is frozen: so the gateway has not forgotten their boots when they come. */
#include "covey/broken.h"
#include "parts.h"

#if COVEY_OUTBOX

#define CRC_BYTES 4U

/* How covey.device.v1.Report begins. */
typedef struct head {
  uint64_t boot_id;
  const uint8_t* manifest;
  uint32_t sequence;
} head_t;

static const covey_member_t head_members[] = {
    COVEY_MEMBER(1, COVEY_MEMBER_F64, head_t, boot_id),
    COVEY_MEMBER(2, COVEY_MEMBER_PREFIX, head_t, manifest),
    COVEY_MEMBER(3, COVEY_MEMBER_U32, head_t, sequence), COVEY_MEMBERS_END(head_t)};

/* The report in the place, in the send buffer with room for its seal; false: none, or it is torn.
 */
static bool read_place(const covey_agent_t* a, unsigned place, covey_writer_t* w, head_t* head) {
  const covey_store_t* store = &covey_core_port(a)->outbox[place];
  covey_bytes_t report;
  uint32_t crc;
  int size;
  *w = covey_send_writer(a);
  size = store->read(store->ctx, w->bytes, w->capacity);
  if (size <= (int)CRC_BYTES || (size_t)size > w->capacity - COVEY_MAC_FIELD_BYTES) return false;
  w->size = (size_t)size - CRC_BYTES;
  memcpy(&crc, &w->bytes[w->size], CRC_BYTES);
  report.bytes = w->bytes;
  report.size = w->size;
  return crc == covey_bytes_crc32(w->bytes, w->size) &&
         covey_read_members(report, head_members, head) && head->manifest != NULL;
}

/* What the send buffer holds; 0 bytes: nothing any more. */
static bool write_place(covey_agent_t* a, unsigned place, size_t size) {
  const covey_store_t* store = &covey_core_port(a)->outbox[place];
  if (store->write(store->ctx, a->config->send_buffer, size) == 0) return true;
  ++a->counters.outbox_errors;
  return false;
}

void covey_outbox_clear(covey_agent_t* a) {
  unsigned place;
  for (place = 0; place < covey_core_port(a)->outbox_places; ++place) {
    (void)write_place(a, place, 0);
  }
  a->outbox_earlier = 0;
}

void covey_outbox_open(covey_agent_t* a) {
  unsigned place;
  for (place = 0; place < covey_core_port(a)->outbox_places; ++place) {
    covey_writer_t w;
    head_t head;
    if (COVEY_BREAKS(FORGET_OUTBOX)) return;
    if (read_place(a, place, &w, &head)) a->outbox_earlier |= (uint8_t)(1U << place);
  }
}

/* ---- What this boot keeps */

/* Number of a place that nobody has, from 1; 0: none. */
static unsigned free_place(const covey_agent_t* a) {
  const unsigned taken = (unsigned)a->outbox_earlier | a->outbox_taken;
  unsigned place;
  for (place = 0; place < covey_core_port(a)->outbox_places; ++place) {
    if ((taken >> place & 1U) == 0) return place + 1;
  }
  return 0;
}

static void keep(covey_agent_t* a, const covey_telemetry_t* t, covey_window_t* window) {
  const unsigned place = window->place != 0 ? window->place : free_place(a);
  covey_writer_t w = covey_send_writer(a);
  uint32_t crc;
  if (place == 0) return;
  covey_report_encode(&w, a->boot_id, t, window);
  if (w.overflow || w.capacity - w.size < CRC_BYTES) {
    covey_core_bug(a);
    return;
  }
  crc = covey_bytes_crc32(w.bytes, w.size);
  memcpy(&w.bytes[w.size], &crc, CRC_BYTES);
  window->kept = write_place(a, place - 1, w.size + CRC_BYTES);
  window->place = (uint8_t)place;
  a->outbox_taken |= (uint8_t)(1U << (place - 1));
  a->timers[COVEY_TIMER_KEEP].left_ms = a->times.keep_ms;
}

static void keep_waiting(covey_agent_t* a, bool all) {
  const covey_model_t* m;
  for (m = a->models; m != covey_models_end(a); ++m) {
    covey_telemetry_t* t = m->config->telemetry;
    unsigned i;
    for (i = 0; t != NULL && i < COVEY_WINDOWS; ++i) {
      covey_window_t* window = &t->windows[i];
      const bool cell = window->sequence == 0;
      if (window->merged == 0 || window->kept || !(all || cell || window->resend.tries > 1)) {
        continue;
      }
      if (cell) covey_window_number(t, window);
      keep(a, t, window);
      if (cell) window->sequence = 0;
    }
  }
}

void covey_outbox_step(covey_agent_t* a) {
  if (covey_clock_due(a, &a->timers[COVEY_TIMER_KEEP])) keep_waiting(a, false);
}

void covey_outbox_keep_all(covey_agent_t* a) { keep_waiting(a, true); }

void covey_outbox_release(covey_agent_t* a, covey_window_t* window) {
  if (window->place == 0) return;
  (void)write_place(a, window->place - 1U, 0);
  a->outbox_taken &= (uint8_t) ~(1U << (window->place - 1U));
  window->place = 0;
}

/* ---- What earlier boots left */

static unsigned first_earlier(const covey_agent_t* a) {
  unsigned place = 0;
  while ((a->outbox_earlier >> place & 1U) == 0) ++place;
  return place;
}

static void earlier_done(covey_agent_t* a, unsigned place) {
  (void)write_place(a, place, 0);
  a->outbox_earlier &= (uint8_t) ~(1U << place);
  covey_outbox_restart(a);
  covey_clock_soon(a);
}

void covey_outbox_restart(covey_agent_t* a) {
  memset(&a->timers[COVEY_TIMER_OUTBOX], 0, sizeof a->timers[0]);
}

bool covey_outbox_drained(const covey_agent_t* a) { return a->outbox_earlier == 0; }

bool covey_outbox_send(covey_agent_t* a) {
  covey_timer_t* timer = &a->timers[COVEY_TIMER_OUTBOX];
  unsigned place;
  covey_writer_t w;
  head_t head;
  if (a->outbox_earlier == 0) return true;
  place = first_earlier(a);
  if (covey_clock_due(a, timer)) {
    if (read_place(a, place, &w, &head)) {
      covey_clock_repeat(a, timer, covey_send_message(a, "up/report", &w, 0));
    } else {
      earlier_done(a, place); /* it was whole when the agent started: the storage forgets */
    }
  }
  return timer->tries >= COVEY_OUTBOX_TRIES;
}

void covey_outbox_ack(covey_agent_t* a, uint64_t boot_id, const covey_stream_ack_t* ack) {
  unsigned place;
  covey_writer_t w;
  head_t head;
  if (a->outbox_earlier == 0) return;
  place = first_earlier(a);
  if (read_place(a, place, &w, &head) && head.boot_id == boot_id &&
      covey_bytes_same_prefix(head.manifest, ack->manifest) &&
      covey_window_acknowledged(ack, head.sequence)) {
    earlier_done(a, place);
  }
}

#endif
