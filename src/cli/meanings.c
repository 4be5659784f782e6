/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What error codes, exit statuses and nouns mean, in words: for help and the manual.
 */

#include <string.h>

#include "text.h"

const struct cli_meaning cli_meanings[] = {
	{ COF_E_FAILED, "Something did not work for a reason that has no code of its own.",
	  "The cause says which program or step it was. COFFER_DEBUG=all shows what led to it." },
	{ COF_E_IO, "The kernel reported an input or output error.",
	  "Look at the kernel's log (journalctl -k) for the device, check its cables and its "
	  "health "
	  "(smartctl), and repeat the command: it goes on where it stopped." },
	{ COF_E_NOSPC, "There is no room left where something had to be written.",
	  "Make room in the folder that the message names and repeat the command. Nothing that was "
	  "there before was replaced." },
	{ COF_E_NOMEM, "Memory could not be had, or could not be locked.",
	  "Keys are kept only in memory that cannot reach the swap. Raise the limit on locked "
	  "memory "
	  "(ulimit -l, or LimitMEMLOCK= of the unit), or free some memory." },
	{ COF_E_USAGE, "The command line is wrong.",
	  "The message names what is wrong and what is nearest to it. `coffer help NOUN VERB` "
	  "shows "
	  "the right form." },
	{ COF_E_REFUSED, "Refused, because going on could have cost data.",
	  "Nothing was changed. The message says what is in the way and what would be safe. Where "
	  "there is a way to insist, the message names it." },
	{ COF_E_KEY, "The passphrase, recovery key or key file opens nothing here.",
	  "Look at the keyboard's layout and at capitals. A recovery key with a typing error is "
	  "refused with the group that holds it. `coffer slots` shows which unlock methods "
	  "exist." },
	{ COF_E_NOENT, "There is no such device, record, file or vault.",
	  "`coffer disk list` shows the devices, `coffer key list` the records, and `coffer "
	  "status` "
	  "the folder of the vault." },
	{ COF_E_BUSY, "Something is in use by somebody else.",
	  "The message names who uses it: a mount, a swap area, a volume group, or another run of "
	  "coffer. Let go of it there and repeat the command." },
	{ COF_E_CONFLICT, "Somebody else changed a record between reading and writing it.",
	  "Repeat the command: it starts from the new state. Nothing was changed by this run." },
	{ COF_E_LOCKED, "The vault is locked, and there is nobody to ask for a passphrase.",
	  "Run `coffer unlock` first, or give --passphrase-file FILE." },
	{ COF_E_FORMAT, "Bytes do not follow their format: a header, record or file is damaged.",
	  "The message names the copy or the mirror that is whole, if there is one. Keep the "
	  "damaged "
	  "file until the vault opens again." },
	{ COF_E_AUTH, "Bytes were altered, or belong somewhere else.",
	  "A header of another vault, a record copied from elsewhere, or an older keystore put "
	  "back. "
	  "If you have put it back yourself, `coffer unlock --accept-older` says so to coffer. "
	  "Otherwise find out who did, before you go on." },
	{ COF_E_UNSUPPORTED, "Not possible on this machine, or with this device.",
	  "The message says what is missing: a kernel feature, a device, a program, a terminal." },
	{ COF_E_NONE, NULL, NULL },
};

const char *const cli_exit_meanings[10] = {
	"done, or there was nothing to do",
	"failed",
	"wrong usage",
	"refused for the safety of data",
	"wrong passphrase or key",
	"no such device, record or file",
	"busy, or changed by somebody else",
	"the vault is locked",
	"damaged or altered: header, record or file",
	"not possible on this machine",
};

static const struct {
	const char *noun;
	const char *summary;
} nouns[] = {
	{ "enroll", "add an unlock method to the vault" },
	{ "backup", "copies of the vault: made, checked, and brought back" },
	{ "key", "look at the keys in the vault, take copies of them, and give disks new ones" },
	{ "import", "take over disks and keys of other programs" },
	{ "boot", "services that wait at every boot for the vault's volumes" },
	{ "swap", "encrypt swap with a key of its own at every boot" },
	{ "tape", "keys of tape drives that encrypt, and keys and caches of Bareos" },
	{ "store", "keep backups, each piece of data once, compressed and encrypted" },
	{ "service", "stacks of files, encrypted disks and file systems that start in order" },
	{ "secret", "passphrases and other secrets of services, kept in the vault" },
	{ "disk", "encrypt, adopt, open, close and destroy disks" },
	{ "disk header", "check, copy and mend the headers of disks" },
};

const char *cli_noun_summary(const char *noun)
{
	for (size_t i = 0; i < sizeof(nouns) / sizeof(nouns[0]); i++)
		if (strcmp(nouns[i].noun, noun) == 0)
			return nouns[i].summary;
	return "";
}

const char *cli_find_group(const char *noun, const char *word)
{
	size_t len = strlen(noun);

	for (size_t i = 0; i < sizeof(nouns) / sizeof(nouns[0]); i++)
		if (strncmp(nouns[i].noun, noun, len) == 0 && nouns[i].noun[len] == ' ' &&
		    strcmp(nouns[i].noun + len + 1, word) == 0)
			return nouns[i].noun;
	return NULL;
}

const struct cli_section cli_overview_sections[] = {
	{ "THE VAULT",
	  "A vault is a folder with two files. root.luks is a LUKS2 header without data; what "
	  "opens "
	  "one of its keyslots (a passphrase, a recovery key, a key file) yields the root key. "
	  "vault.db holds the records, one for each disk, each sealed with a key of its own that "
	  "is "
	  "derived from the root key. The header is plain LUKS2: cryptsetup and "
	  "systemd-cryptenroll "
	  "read and change it.\n\n"
	  "LUKS2 headers are not authenticated. Before the root key is used for anything, it must "
	  "open a record that says which vault it belongs to. A header that was swapped or altered "
	  "is "
	  "refused.\n\n"
	  "Every folder that a `mirror =` line of coffer.conf names gets a copy of both files "
	  "after "
	  "every change. Keep one on another medium than the disks that the vault opens." },
	{ "FIRST STEPS",
	  "Make a vault and write down the recovery key that it shows:\n\n"
	  "\tcoffer init\n\n"
	  "Look at the disks, encrypt one, and make a filesystem on the volume that appears:\n\n"
	  "\tcoffer disk list\n"
	  "\tcoffer disk format /dev/sdb\n"
	  "\tmkfs.ext4 /dev/mapper/enc-NAME\n\n"
	  "After a restart one passphrase opens all of them:\n\n"
	  "\tcoffer unlock\n"
	  "\tcoffer disk open --all" },
	{ "PASSPHRASES",
	  "Passphrases are typed on a terminal with echo off, or are the first line of the file "
	  "that "
	  "--passphrase-file names (- is standard input), or come as the systemd credential "
	  "coffer.passphrase. They are never a value of an option, because every user can see the "
	  "arguments of a process.\n\n"
	  "A new passphrase should have 12 characters or more, five words drawn by lot for "
	  "instance. One that is shorter, or has fewer than 5 different characters, is warned of; "
	  "an empty one is refused.\n\n"
	  "`coffer unlock` leaves the root key with an agent: a small process in locked memory "
	  "that "
	  "answers root alone and forgets it after a while, or at `coffer lock`. Without an agent "
	  "every command asks." },
	{ "QUESTIONS", "A question is asked on a terminal only, and only before something is "
		       "destroyed. In scripts "
		       "--yes-destroy NAME answers it: it holds for that NAME alone. --dry-run "
		       "shows what a command "
		       "would do." },
	{ "JSON",
	  "With --json a command that shows something prints one JSON document on standard output. "
	  "A "
	  "failure is in it as {\"error\": {\"code\", \"subject\", \"text\", \"headline\", "
	  "\"cause\", "
	  "\"remedy\"}}; the codes are in coffer-errors(7). Messages go to standard error." },
	{ "FILES",
	  "/var/lib/coffer/root.luks, /var/lib/coffer/vault.db\n\n"
	  "The system's vault; --vault DIR names another one.\n\n"
	  "/etc/coffer/coffer.conf\n\n"
	  "Lines NAME = VALUE. mirror = DIR, which may be repeated, names a folder that gets "
	  "copies "
	  "of the vault. agent-limit = DURATION says how long the agent keeps a root key: 8h "
	  "unless "
	  "told otherwise, forever for no limit. unattended-limit = DURATION says how long `coffer "
	  "unlock` waits for one method that needs nobody: 10s unless told otherwise. tpm2-device "
	  "= TCTI names the TPM (tss2-tcti(7)) where the machine has several.\n\n"
	  "/run/coffer/agent.sock, /run/coffer/keys.sock\n\n"
	  "Sockets of the agent and of the key server, which crypttab(5) lines name as key file." },
	{ "ENVIRONMENT", "COFFER_DEBUG=AREA,AREA shows what the library code of these areas does; "
			 "all stands for all "
			 "areas. NO_COLOR is honoured." },
	{ 0 },
};
