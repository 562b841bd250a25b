/*
 * The script that SCRIPT_FILENAME names, script.c:
 *   - in a tree it is found, with PATH_INFO behind it; outside it never is
 *   - a PATH_INFO that was sent wins where SCRIPT_FILENAME is the script itself
 *   - what is missing is 404; ".." in the script's part is 403; "//" and "."
 *     mean nothing
 *   - a directory is its index, or 403
 *   - 403: not executable, writable by everybody, not a regular file
 *   - symbolic links are followed to a target of the same owner
 *   - Apache's proxy:fcgi:// names, and lighttpd's script in PATH_INFO
 * The search by URI is in script_uri_test.c.
 */
#include "unit_script.h"

static void
setup(struct site *site)
{
	site_init(site);
	site_script("tree/a.cgi");
	site_script("tree/sub/b.cgi");
	site_script("tree/dir/index.cgi");
	site_script("outside.cgi");
	site_script("treeful/a.cgi");
	site_tree(site, "@/tree");
}

/* A file of the tree is found, and what follows it is PATH_INFO. */
ATF_TC_WITHOUT_HEAD(found);
ATF_TC_BODY(found, tc)
{
	struct site site;

	setup(&site);
	site_finds(&site, "@/tree/a.cgi", "/cgi-bin/a.cgi", "",
	    "SCRIPT_FILENAME", "@/tree/a.cgi", "SCRIPT_NAME", "/cgi-bin/a.cgi",
	    NULL);
	site_finds(&site, "@/tree/sub/b.cgi", "/x/sub/b.cgi", "/c/d",
	    "SCRIPT_FILENAME", "@/tree/sub/b.cgi/c/d", "SCRIPT_NAME",
	    "/x/sub/b.cgi/c/d", NULL);
	site_finds(&site, "@/tree/a.cgi", "/cgi-bin/a.cgi", "/",
	    "SCRIPT_FILENAME", "@/tree/a.cgi/", "SCRIPT_NAME",
	    "/cgi-bin/a.cgi/", NULL);
	/* a web server that has cut SCRIPT_NAME already, and one without it */
	site_finds(&site, "@/tree/a.cgi", "/cgi-bin/a.cgi", "/c",
	    "SCRIPT_FILENAME", "@/tree/a.cgi/c", "SCRIPT_NAME",
	    "/cgi-bin/a.cgi", NULL);
	site_finds(&site, "@/tree/a.cgi", "", "", "SCRIPT_FILENAME",
	    "@/tree/a.cgi", NULL);
	trees_clear(&site.trees);
}

/* nginx's fastcgi_split_path_info: the script's own name, and PATH_INFO. */
ATF_TC_WITHOUT_HEAD(sent_path_info);
ATF_TC_BODY(sent_path_info, tc)
{
	struct site site;

	setup(&site);
	site_finds(&site, "@/tree/a.cgi", "/cgi-bin/a.cgi", "/sent/info",
	    "SCRIPT_FILENAME", "@/tree/a.cgi", "SCRIPT_NAME", "/cgi-bin/a.cgi",
	    "PATH_INFO", "/sent/info", NULL);
	site_finds(&site, "@/tree/a.cgi", "/cgi-bin/a.cgi", "",
	    "SCRIPT_FILENAME", "@/tree/a.cgi", "SCRIPT_NAME", "/cgi-bin/a.cgi",
	    "PATH_INFO", "", NULL);
	/* where the file's name has it, that is what counts */
	site_finds(&site, "@/tree/a.cgi", "/cgi-bin/a.cgi", "/x",
	    "SCRIPT_FILENAME", "@/tree/a.cgi/x", "SCRIPT_NAME",
	    "/cgi-bin/a.cgi/x", "PATH_INFO", "/x", NULL);
	trees_clear(&site.trees);
}

/* Nothing outside the trees, and nothing that only looks like one. */
ATF_TC_WITHOUT_HEAD(outside);
ATF_TC_BODY(outside, tc)
{
	static const char *const names[] = { "/bin/sh", "@/outside.cgi",
		"@/treeful/a.cgi", "@/tre", "@", "/", "tree/a.cgi", "a.cgi",
		"x@/tree/a.cgi", "//bin/sh" };
	struct site site;
	size_t i;

	setup(&site);
	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		site_refuses(&site, 403, "SCRIPT_FILENAME", names[i],
		    "SCRIPT_NAME", "/cgi-bin/a.cgi", NULL);
	trees_clear(&site.trees);
}

/* Not there, or behind something that is not there. */
ATF_TC_WITHOUT_HEAD(missing);
ATF_TC_BODY(missing, tc)
{
	struct site site;
	char *name;

	setup(&site);
	site_refuses(&site, 404, "SCRIPT_FILENAME", "@/tree/none", NULL);
	site_refuses(&site, 404, "SCRIPT_FILENAME", "@/tree/none/a.cgi", NULL);
	site_refuses(&site, 404, "SCRIPT_FILENAME", "@/tree/sub/none", NULL);
	site_refuses(&site, 404, "SCRIPT_FILENAME", "@/tree/A.CGI", NULL);
	/* a component, and a path, longer than any can be */
	ATF_REQUIRE(asprintf(&name, "@/tree/%0300d", 0) != -1);
	site_refuses(&site, 404, "SCRIPT_FILENAME", name, NULL);
	free(name);
	ATF_REQUIRE(asprintf(&name, "@/tree/%05000d", 0) != -1);
	site_refuses(&site, 404, "SCRIPT_FILENAME", name, NULL);
	free(name);
	trees_clear(&site.trees);
}

/* A tree cannot be left upwards, not even to come back. */
ATF_TC_WITHOUT_HEAD(dot_dot);
ATF_TC_BODY(dot_dot, tc)
{
	static const char *const names[] = { "@/tree/../outside.cgi",
		"@/tree/../tree/a.cgi", "@/tree/sub/../a.cgi",
		"@/tree/sub/../../outside.cgi", "@/tree/..", "@/tree/../",
		"@/tree/.//../outside.cgi" };
	struct site site;
	size_t i;

	setup(&site);
	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		site_refuses(&site, 403, "SCRIPT_FILENAME", names[i], NULL);
	/* behind the script they are the script's business */
	site_finds(&site, "@/tree/a.cgi", "/cgi-bin/a.cgi", "/../x",
	    "SCRIPT_FILENAME", "@/tree/a.cgi/../x", "SCRIPT_NAME",
	    "/cgi-bin/a.cgi/../x", NULL);
	/* and names that only begin with dots are names */
	site_script("tree/..a");
	site_script("tree/...");
	site_finds(&site, "@/tree/..a", "", "", "SCRIPT_FILENAME", "@/tree/..a",
	    NULL);
	site_finds(&site, "@/tree/...", "", "/b", "SCRIPT_FILENAME",
	    "@/tree/.../b", NULL);
	trees_clear(&site.trees);
}

/* Empty components and "." lead nowhere. */
ATF_TC_WITHOUT_HEAD(slashes);
ATF_TC_BODY(slashes, tc)
{
	struct site site;

	setup(&site);
	site_finds(&site, "@/tree/sub/b.cgi", "", "", "SCRIPT_FILENAME",
	    "@/tree//sub///b.cgi", NULL);
	site_finds(&site, "@/tree/sub/b.cgi", "", "//c/", "SCRIPT_FILENAME",
	    "@/tree/./sub/././b.cgi//c/", NULL);
	trees_clear(&site.trees);
}

/*
 * A directory stands for its index script, whose name goes into SCRIPT_NAME,
 * and is refused without one.
 */
ATF_TC_WITHOUT_HEAD(index_script);
ATF_TC_BODY(index_script, tc)
{
	struct site site;

	setup(&site);
	site_finds(&site, "@/tree/dir/index.cgi", "/cgi-bin/dir/index.cgi", "",
	    "SCRIPT_FILENAME", "@/tree/dir", "SCRIPT_NAME", "/cgi-bin/dir",
	    NULL);
	site_finds(&site, "@/tree/dir/index.cgi", "/cgi-bin/dir/index.cgi", "",
	    "SCRIPT_FILENAME", "@/tree/dir/", "SCRIPT_NAME", "/cgi-bin/dir/",
	    NULL);
	site_refuses(&site, 403, "SCRIPT_FILENAME", "@/tree/sub", NULL);
	site_refuses(&site, 403, "SCRIPT_FILENAME", "@/tree/sub/", NULL);
	site_refuses(&site, 403, "SCRIPT_FILENAME", "@/tree", NULL);
	site.trees.index = "b.cgi";
	site_finds(&site, "@/tree/sub/b.cgi", "/s/b.cgi", "", "SCRIPT_FILENAME",
	    "@/tree/sub", "SCRIPT_NAME", "/s", NULL);
	site_refuses(&site, 403, "SCRIPT_FILENAME", "@/tree/dir", NULL);
	/* an index that is a directory is none */
	site.trees.index = "sub";
	site_refuses(&site, 403, "SCRIPT_FILENAME", "@/tree", NULL);
	trees_clear(&site.trees);
}

/* What the file's mode and kind forbid. */
ATF_TC_WITHOUT_HEAD(modes);
ATF_TC_BODY(modes, tc)
{
	struct site site;

	setup(&site);
	site_file("tree/plain", "x", 0644);
	site_refuses(&site, 403, "SCRIPT_FILENAME", "@/tree/plain", NULL);
	site_file("tree/open", "x", 0757);
	site_refuses(&site, 403, "SCRIPT_FILENAME", "@/tree/open", NULL);
	site_file("tree/open", "x", 0775);
	site_finds(&site, "@/tree/open", "", "", "SCRIPT_FILENAME",
	    "@/tree/open", NULL);
	ATF_REQUIRE_EQ(0, mkfifo("tree/fifo", 0755));
	site_refuses(&site, 403, "SCRIPT_FILENAME", "@/tree/fifo", NULL);
	site_refuses(&site, 403, "SCRIPT_FILENAME", "@/tree/fifo/x", NULL);
	trees_clear(&site.trees);
}

/* A directory that we may not enter is 403. */
ATF_TC_WITHOUT_HEAD(closed_directory);
ATF_TC_BODY(closed_directory, tc)
{
	struct site site;

	if (geteuid() == 0)
		atf_tc_skip("root may enter every directory");
	setup(&site);
	ATF_REQUIRE_EQ(0, chmod("tree/sub", 0600));
	site_refuses(&site, 403, "SCRIPT_FILENAME", "@/tree/sub/b.cgi", NULL);
	ATF_REQUIRE_EQ(0, chmod("tree/sub", 0755));
	trees_clear(&site.trees);
}

/* Links to what the link's owner owns too are followed, also out of a tree. */
ATF_TC_WITHOUT_HEAD(links);
ATF_TC_BODY(links, tc)
{
	struct site site;

	setup(&site);
	ATF_REQUIRE_EQ(0, symlink("../outside.cgi", "tree/link"));
	ATF_REQUIRE_EQ(0, symlink("../treeful", "tree/dirlink"));
	ATF_REQUIRE_EQ(0, symlink("nowhere", "tree/dangling"));
	ATF_REQUIRE_EQ(0, symlink("loop", "tree/loop"));
	site_finds(&site, "@/tree/link", "", "/x", "SCRIPT_FILENAME",
	    "@/tree/link/x", NULL);
	site_finds(&site, "@/tree/dirlink/a.cgi", "", "", "SCRIPT_FILENAME",
	    "@/tree/dirlink/a.cgi", NULL);
	site_refuses(&site, 404, "SCRIPT_FILENAME", "@/tree/dangling", NULL);
	site_refuses(&site, 403, "SCRIPT_FILENAME", "@/tree/loop", NULL);
	trees_clear(&site.trees);
}

/* Links to another owner's file or directory are not. */
ATF_TC_WITHOUT_HEAD(foreign_links);
ATF_TC_BODY(foreign_links, tc)
{
	struct site site;

	setup(&site);
	ATF_REQUIRE_EQ(0, symlink("/bin/sh", "tree/foreign"));
	ATF_REQUIRE_EQ(0, symlink("/bin", "tree/foreign_dir"));
	if (geteuid() == 0 &&
	    (lchown("tree/foreign", 12345, 12345) == -1 ||
		lchown("tree/foreign_dir", 12345, 12345) == -1))
		atf_tc_skip("cannot give links away");
	site_refuses(&site, 403, "SCRIPT_FILENAME", "@/tree/foreign", NULL);
	site_refuses(&site, 403, "SCRIPT_FILENAME", "@/tree/foreign/x", NULL);
	site_refuses(&site, 403, "SCRIPT_FILENAME", "@/tree/foreign_dir/sh",
	    NULL);
	trees_clear(&site.trees);
}

/* Apache's names, with host and port, balancer, query and doubled slash. */
ATF_TC_WITHOUT_HEAD(apache);
ATF_TC_BODY(apache, tc)
{
	struct site site;

	setup(&site);
	site_finds(&site, "@/tree/a.cgi", "/cgi-bin/a.cgi", "",
	    "SCRIPT_FILENAME", "proxy:fcgi://127.0.0.1:9000@/tree/a.cgi",
	    "SCRIPT_NAME", "/cgi-bin/a.cgi", NULL);
	site_finds(&site, "@/tree/a.cgi", "/cgi-bin/a.cgi", "/x",
	    "SCRIPT_FILENAME", "proxy:fcgi://localhost/@/tree/a.cgi/x?a=/b",
	    "SCRIPT_NAME", "/cgi-bin/a.cgi", "PATH_INFO", "/x", NULL);
	site_finds(&site, "@/tree/a.cgi", "/cgi-bin/a.cgi", "",
	    "SCRIPT_FILENAME", "proxy:balancer://name@/tree/a.cgi?",
	    "SCRIPT_NAME", "/cgi-bin/a.cgi", NULL);
	site_refuses(&site, 403, "SCRIPT_FILENAME",
	    "proxy:fcgi://localhost/bin/sh", NULL);
	site_refuses(&site, 403, "SCRIPT_FILENAME",
	    "proxy:fcgi://localhost@/tree/../outside.cgi", NULL);
	site_refuses(&site, 403, "SCRIPT_FILENAME", "proxy:", NULL);
	site_refuses(&site, 403, "SCRIPT_FILENAME", "proxy:fcgi://", NULL);
	trees_clear(&site.trees);
}

/* lighttpd: the tree is SCRIPT_FILENAME, and the script is in PATH_INFO. */
ATF_TC_WITHOUT_HEAD(lighttpd);
ATF_TC_BODY(lighttpd, tc)
{
	struct site site;

	setup(&site);
	site_finds(&site, "@/tree/a.cgi", "/cgi-bin/a.cgi", "",
	    "SCRIPT_FILENAME", "@/tree", "SCRIPT_NAME", "/cgi-bin", "PATH_INFO",
	    "/a.cgi", NULL);
	site_finds(&site, "@/tree/sub/b.cgi", "/cgi-bin/sub/b.cgi", "/c/d",
	    "SCRIPT_FILENAME", "@/tree", "SCRIPT_NAME", "/cgi-bin", "PATH_INFO",
	    "/sub/b.cgi/c/d", NULL);
	site_refuses(&site, 404, "SCRIPT_FILENAME", "@/tree", "SCRIPT_NAME",
	    "/cgi-bin", "PATH_INFO", "/none", NULL);
	site_refuses(&site, 403, "SCRIPT_FILENAME", "@/tree", "SCRIPT_NAME",
	    "/cgi-bin", "PATH_INFO", "/../outside.cgi", NULL);
	trees_clear(&site.trees);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, found);
	ATF_TP_ADD_TC(tp, sent_path_info);
	ATF_TP_ADD_TC(tp, outside);
	ATF_TP_ADD_TC(tp, missing);
	ATF_TP_ADD_TC(tp, dot_dot);
	ATF_TP_ADD_TC(tp, slashes);
	ATF_TP_ADD_TC(tp, index_script);
	ATF_TP_ADD_TC(tp, modes);
	ATF_TP_ADD_TC(tp, closed_directory);
	ATF_TP_ADD_TC(tp, links);
	ATF_TP_ADD_TC(tp, foreign_links);
	ATF_TP_ADD_TC(tp, apache);
	ATF_TP_ADD_TC(tp, lighttpd);
	return atf_no_error();
}
