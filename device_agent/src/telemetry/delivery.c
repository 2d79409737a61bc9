/* SPDX-License-Identifier: Apache-2.0 */
/* Windows to the gateway: frozen, sent, repeated until they are acknowledged. */
#include "covey/broken.h"
#include "parts.h"

static void close_all(covey_agent_t* a) {
  const covey_model_t* m;
  covey_core_lock(a);
  for (m = a->models; m != covey_models_end(a); ++m) {
    covey_telemetry_t* t = m->config->telemetry;
    if (t != NULL && t->stream != COVEY_NO_STREAM) covey_window_close(a, t);
  }
  covey_core_unlock(a);
}

void covey_agent_flush(covey_agent_t* a, uint64_t now_ms) {
  covey_clock_pass(a, now_ms);
  close_all(a);
  covey_outbox_keep_all(a);
}

static void freeze_next(covey_agent_t* a, covey_telemetry_t* t) {
  unsigned i;
  /* First what ran before, then what runs: its cell may be needed. */
  for (i = 0; i < 2 * COVEY_WINDOWS; ++i) {
    covey_window_t* cell = &t->windows[i % COVEY_WINDOWS];
    if (t->in_flight == COVEY_WINDOWS_IN_FLIGHT || a->in_flight >= a->credit) return;
    if (!covey_window_is_cell(cell) || (cell->stream == t->stream && i < COVEY_WINDOWS)) continue;
    /* From now on this window has a number and never changes. */
    covey_window_number(t, cell);
    ++t->streams[cell->stream].sequence;
    ++t->in_flight;
    ++a->in_flight;
  }
}

/* What a broken agent does (covey/broken.h). */
static void count_again(covey_telemetry_t* t, const covey_window_t* frozen) {
  unsigned i;
  for (i = 0; frozen->resend.tries == 1 && i < COVEY_WINDOWS; ++i) {
    if (t->windows[i].merged != 0) continue;
    t->windows[i] = *frozen;
    t->windows[i].sequence = 0;
    t->streams[frozen->stream].inferences_total += frozen->tally.inferences;
    return;
  }
}

static void send_step(covey_agent_t* a, covey_telemetry_t* t) {
  covey_window_t* frozen;
  freeze_next(a, t);
  for (frozen = t->windows; frozen != &t->windows[COVEY_WINDOWS]; ++frozen) {
    covey_writer_t w;
    int error;
    if (frozen->sequence == 0 || !covey_clock_due(a, &frozen->resend)) continue;
    if (COVEY_BREAKS(RECOUNT)) count_again(t, frozen);
    w = covey_send_writer(a);
    covey_report_encode(&w, a->boot_id, t, frozen);
    error = covey_send_message(a, "up/report", &w, 0);
    covey_clock_repeat(a, &frozen->resend, error);
    if (error != 0) return;
  }
}

void covey_delivery_step(covey_agent_t* a) {
  static const covey_timer_t later = {COVEY_SHORT_WAIT_MS, 0};
  covey_timer_t* window = &a->timers[COVEY_TIMER_WINDOW];
  const covey_model_t* m;
  bool send;
  covey_outbox_step(a); /* before windows close: what is there now waited for more than a moment */
  if (covey_clock_due(a, window)) {
    close_all(a);
    window->left_ms = a->times.report_interval_ms;
    (void)covey_clock_due(a, window);
  }
  /* Connected, and not asked to wait? */
  send = a->hello_sent && covey_clock_due(a, &a->timers[COVEY_TIMER_REPORT]);
  send = send && covey_outbox_send(a);
  for (m = a->models; m != covey_models_end(a); ++m) {
    if (m->config->telemetry == NULL) continue;
    if (!covey_stream_catch_up(a, m)) (void)covey_clock_due(a, &later); /* polled until then */
    if (send) send_step(a, m->config->telemetry);
  }
}

void covey_delivery_connected(covey_agent_t* a) {
  const covey_model_t* m;
  covey_outbox_restart(a);
  for (m = a->models; m != covey_models_end(a); ++m) {
    covey_telemetry_t* t = m->config->telemetry;
    unsigned i;
    for (i = 0; t != NULL && i < COVEY_WINDOWS; ++i) {
      covey_timer_t* resend = &t->windows[i].resend;
      resend->tries = resend->tries > 0 ? 1 : 0;
      resend->left_ms = covey_random_below(a, a->times.retry_min_ms / 4 + 1);
    }
  }
}

void covey_delivery_ack(covey_agent_t* a, uint64_t boot_id, const covey_stream_ack_t* ack) {
  const covey_model_t* m;
  if (boot_id != a->boot_id) {
    covey_outbox_ack(a, boot_id, ack);
    return;
  }
  for (m = a->models; m != covey_models_end(a); ++m) {
    covey_telemetry_t* t = m->config->telemetry;
    unsigned i;
    for (i = 0; t != NULL && i < COVEY_WINDOWS; ++i) {
      covey_window_t* frozen = &t->windows[i];
      if (frozen->sequence == 0 ||
          !covey_bytes_same_prefix(t->streams[frozen->stream].manifest, ack->manifest)) {
        continue;
      }
      if (covey_window_acknowledged(ack, frozen->sequence)) {
        covey_clock_answered(a, &frozen->resend, frozen->resend.tries > 1);
        covey_outbox_release(a, frozen);
        frozen->sequence = 0;
        frozen->merged = 0;
        --t->in_flight;
        --a->in_flight;
      }
    }
  }
}

bool covey_delivery_drained(const covey_agent_t* a) {
  const covey_model_t* m;
  if (!covey_outbox_drained(a)) return false;
  for (m = a->models; m != covey_models_end(a); ++m) {
    const covey_telemetry_t* t = m->config->telemetry;
    if (t != NULL && !(covey_window_none_held(t) && covey_window_empty(&t->open[0]) &&
                       covey_window_empty(&t->open[1])))
      return false;
  }
  return true;
}
