// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "doctor.h"
#include "names.h"
#include "protocol.h"

static void put_hooks(const struct gp_findings *found, FILE *out)
{
	const struct gp_meta *meta = found->meta;
	size_t n;
	const struct gp_choosing *row = gp_ways_chosen(found->ways, &n);

	fprintf(out, "What is seen, and how:\n");
	for (size_t i = 0; i < n && i < meta->choices; i++) {
		fprintf(out, "  %-32s %s\n", meta->choice[i].event, meta->choice[i].hook ?: "-");
		for (size_t j = 0; j < GP_WAYS && row[i].kind->way[j].name; j++)
			if (row[i].refused[j])
				fprintf(out, "  %-32s not %s: %s\n", "",
					row[i].kind->way[j].part[0].at, row[i].refused[j]);
		if (meta->choice[i].missing)
			fprintf(out, "  %-32s so: %s\n", "", meta->choice[i].missing);
	}
	fprintf(out, "  %-32s", "protocols recognised");
	for (size_t i = GP_PROTOCOL_UNKNOWN + 1; i < GP_PROTOCOL_COUNT; i++)
		if (meta->protocols & 1u << i)
			fprintf(out, " %s", gp_protocol_names[i]);
	fprintf(out, "%s\n", meta->protocols ? "" : " -");
}

int gp_doctor_text(const struct gp_findings *found, FILE *out)
{
	const char *unable = gp_ways_unable(found->ways);

	errno = 0;
	fprintf(out, "goldpan %s on Linux %s can%s observe this host%s%s.\n\n",
		found->meta->version, found->meta->kernel, unable ? "not" : "", unable ? ": " : "",
		unable ?: "");
	put_hooks(found, out);
	fprintf(out, "\nAround it:\n");
	for (size_t i = 0; i < found->facts; i++) {
		fprintf(out, "  %-32s %s\n", found->fact[i].name, found->fact[i].value);
		if (found->fact[i].advice)
			fprintf(out, "  %-32s so: %s\n", "", found->fact[i].advice);
	}
	if (fflush(out) == 0 && !ferror(out))
		return 0;
	return errno ? -errno : -EIO;
}
