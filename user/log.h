/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages to people: standard error, one line each, `goldpan: level: text`. */
#ifndef GP_LOG_H
#define GP_LOG_H

enum gp_level { GP_ERROR, GP_WARNING, GP_INFO, GP_DEBUG, GP_LEVEL_COUNT };

/* -1: errors and warnings; 0: and info; 1: and debug. Set once, before anything else runs. */
void gp_log_verbosity(int verbosity);

/* Control characters in what is printed become U+FFFD: a name from outside cannot drive a terminal.
 */
__attribute__((format(printf, 2, 3))) void gp_log(enum gp_level level, const char *format, ...);

#define gp_error(...) gp_log(GP_ERROR, __VA_ARGS__)
#define gp_warning(...) gp_log(GP_WARNING, __VA_ARGS__)
#define gp_info(...) gp_log(GP_INFO, __VA_ARGS__)
#define gp_debug(...) gp_log(GP_DEBUG, __VA_ARGS__)

#endif
