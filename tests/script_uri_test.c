/*
 * The script that SCRIPT_NAME names, and what trees there can be, script.c and
 * trees.c:
 *   - DOCUMENT_ROOT + SCRIPT_NAME if that lies in a tree, else the prefix of a
 *     tree; SCRIPT_NAME + PATH_INFO is one path, however it was divided
 *   - prefixes end at a slash; the longest one that fits is meant, and the
 *     deepest tree
 *   - programs as trees, with and without a prefix
 *   - trees given relatively, through links, with slashes at their end, at "/"
 *   - interpreters by extension
 *   - what is no tree and no interpreter is refused
 */
#include "unit_script.h"

/* Without a SCRIPT_FILENAME, or with an empty one, the URI says it. */
ATF_TC_WITHOUT_HEAD(prefix);
ATF_TC_BODY(prefix, tc)
{
	struct site site;

	site_init(&site);
	site_script("tree/a.cgi");
	site_script("tree/index.cgi");
	site_tree(&site, "@/tree");
	site_finds(&site, "@/tree/a.cgi", "/cgi-bin/a.cgi", "", "SCRIPT_NAME",
	    "/cgi-bin/a.cgi", NULL);
	site_finds(&site, "@/tree/a.cgi", "/cgi-bin/a.cgi", "/b",
	    "SCRIPT_FILENAME", "", "SCRIPT_NAME", "/cgi-bin/a.cgi/b", NULL);
	site_finds(&site, "@/tree/index.cgi", "/cgi-bin/index.cgi", "",
	    "SCRIPT_NAME", "/cgi-bin/", NULL);
	site_finds(&site, "@/tree/index.cgi", "/cgi-bin/index.cgi", "",
	    "SCRIPT_NAME", "/cgi-bin", NULL);
	site_refuses(&site, 404, "SCRIPT_NAME", "/a.cgi", NULL);
	site_refuses(&site, 404, "SCRIPT_NAME", "/cgi-binful/a.cgi", NULL);
	site_refuses(&site, 404, "SCRIPT_NAME", "/cgi-bi", NULL);
	site_refuses(&site, 404, "SCRIPT_NAME", "cgi-bin/a.cgi", NULL);
	site_refuses(&site, 404, "SCRIPT_NAME", "", NULL);
	site_refuses(&site, 403, "SCRIPT_NAME", "/cgi-bin/../a.cgi", NULL);
	site_refuses(&site, 404, "QUERY_STRING", "x", NULL);
	site_refuses(&site, 404, NULL);
	trees_clear(&site.trees);
}

/* However a web server divides the URI before its end, it is the same one. */
ATF_TC_WITHOUT_HEAD(divided);
ATF_TC_BODY(divided, tc)
{
	static const char uri[] = "/cgi-bin/sub/a.cgi/b/c";
	const size_t end = sizeof "/cgi-bin/sub/a.cgi" - 1;
	struct site site;
	char name[sizeof uri];
	size_t i;

	site_init(&site);
	site_script("tree/sub/a.cgi");
	site_tree(&site, "@/tree");
	for (i = 0; i < sizeof uri; i++) {
		if ((uri[i] != '/' || i > end) && uri[i] != '\0')
			continue;
		/* in the middle of PATH_INFO nobody divides them */
		if (strcmp(uri + i, "/c") == 0)
			continue;
		(void)snprintf(name, sizeof name, "%.*s", (int)i, uri);
		site_finds(&site, "@/tree/sub/a.cgi", "/cgi-bin/sub/a.cgi",
		    "/b/c", "SCRIPT_NAME", name, "PATH_INFO", uri + i, NULL);
	}
	site_finds(&site, "@/tree/sub/a.cgi", "/cgi-bin/sub/a.cgi", "/b/c",
	    "PATH_INFO", uri, NULL);
	trees_clear(&site.trees);
}

/* The document root counts if it leads into a tree. */
ATF_TC_WITHOUT_HEAD(document_root);
ATF_TC_BODY(document_root, tc)
{
	struct site site;

	site_init(&site);
	site_script("www/app/a.cgi");
	site_script("other/a.cgi");
	site_script("other/b.cgi");
	site_tree(&site, "/x=@/www");
	site_tree(&site, "/app=@/other");
	site_finds(&site, "@/www/app/a.cgi", "/app/a.cgi", "/i",
	    "DOCUMENT_ROOT", "@/www", "SCRIPT_NAME", "/app/a.cgi/i", NULL);
	site_finds(&site, "@/other/a.cgi", "/app/a.cgi", "", "DOCUMENT_ROOT",
	    "@/nowhere", "SCRIPT_NAME", "/app/a.cgi", NULL);
	site_finds(&site, "@/other/b.cgi", "/app/b.cgi", "", "DOCUMENT_ROOT",
	    "", "SCRIPT_NAME", "/app/b.cgi", NULL);
	site_refuses(&site, 404, "DOCUMENT_ROOT", "/", "SCRIPT_NAME", "/bin/sh",
	    NULL);
	trees_clear(&site.trees);
}

/* Of several prefixes the longest is meant, in whatever order they are. */
ATF_TC_WITHOUT_HEAD(longest_prefix);
ATF_TC_BODY(longest_prefix, tc)
{
	static const char *const trees[] = { "/=@/root", "/a/=@/one",
		"/a/b/=@/two" };
	struct site site;
	int order, i;

	site_script("root/x");
	site_script("root/a/y");
	site_script("one/x");
	site_script("one/c/x");
	site_script("two/x");
	for (order = 0; order < 2; order++) {
		site_init(&site);
		for (i = 0; i < 3; i++)
			site_tree(&site, trees[order == 0 ? i : 2 - i]);
		site_finds(&site, "@/root/x", "/x", "", "SCRIPT_NAME", "/x",
		    NULL);
		site_finds(&site, "@/one/x", "/a/x", "", "SCRIPT_NAME", "/a/x",
		    NULL);
		site_finds(&site, "@/one/c/x", "/a/c/x", "/b", "SCRIPT_NAME",
		    "/a/c/x/b", NULL);
		site_finds(&site, "@/two/x", "/a/b/x", "", "SCRIPT_NAME",
		    "/a/b/x", NULL);
		site_refuses(&site, 404, "SCRIPT_NAME", "/a/y", NULL);
		site_refuses(&site, 404, "SCRIPT_NAME", "/a/bc/x", NULL);
		trees_clear(&site.trees);
	}
}

/* A program as a tree: everything behind its name is PATH_INFO. */
ATF_TC_WITHOUT_HEAD(program);
ATF_TC_BODY(program, tc)
{
	struct site site;

	site_init(&site);
	site_script("lib/prog");
	site_script("lib/other");
	site_script("lib/plain");
	site_tree(&site, "/git/=@/lib/prog");
	site_tree(&site, "@/lib/plain");
	site_finds(&site, "@/lib/prog", "/git", "/repo/info", "SCRIPT_NAME",
	    "/git/repo/info", NULL);
	site_finds(&site, "@/lib/prog", "/git", "", "SCRIPT_NAME", "/git",
	    NULL);
	site_finds(&site, "@/lib/prog", "/git", "/", "SCRIPT_NAME", "/git/",
	    NULL);
	site_finds(&site, "@/lib/prog", "/g", "/repo", "SCRIPT_FILENAME",
	    "@/lib/prog", "SCRIPT_NAME", "/g", "PATH_INFO", "/repo", NULL);
	site_finds(&site, "@/lib/plain", "/p", "", "SCRIPT_FILENAME",
	    "@/lib/plain", "SCRIPT_NAME", "/p", NULL);
	site_finds(&site, "@/lib/prog", "/git", "/../x", "SCRIPT_NAME",
	    "/git/../x", NULL);
	/* its neighbours are not in a tree */
	site_refuses(&site, 403, "SCRIPT_FILENAME", "@/lib/other", NULL);
	site_refuses(&site, 403, "SCRIPT_FILENAME", "@/lib/program", NULL);
	site_refuses(&site, 403, "SCRIPT_FILENAME", "@/lib", NULL);
	site_refuses(&site, 404, "SCRIPT_NAME", "/cgi-bin/plain", NULL);
	site_refuses(&site, 404, "SCRIPT_NAME", "/github", NULL);
	ATF_REQUIRE_EQ(0, chmod("lib/prog", 0644));
	site_refuses(&site, 403, "SCRIPT_NAME", "/git/x", NULL);
	ATF_REQUIRE_EQ(0, unlink("lib/prog"));
	site_refuses(&site, 404, "SCRIPT_NAME", "/git/x", NULL);
	trees_clear(&site.trees);
}

/* A tree may be named in many ways, and reached by its real name too. */
ATF_TC_WITHOUT_HEAD(names_of_trees);
ATF_TC_BODY(names_of_trees, tc)
{
	static const char *const names[] = { "@/tree", "@/tree/", "@/tree///",
		"@/link", "@/link/", "tree", "./tree/", "/cgi-bin/=@/tree",
		"/cgi-bin=@/link/", "/cgi-bin//=tree" };
	struct params params;
	struct script script;
	struct site site;
	size_t i;

	site_script("tree/a.cgi");
	ATF_REQUIRE_EQ(0, symlink("tree", "link"));
	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct bytes stream = { 0 };
		char *path;

		site_init(&site);
		site_tree(&site, names[i]);
		path = site_path(&site, "@/tree/a.cgi");
		bytes_pair(&stream, "SCRIPT_FILENAME", path);
		bytes_pair(&stream, "SCRIPT_NAME", "/cgi-bin/a.cgi");
		params_init(&params);
		ATF_REQUIRE_EQ(0,
		    params_append(&params, stream.p, stream.len, 10000));
		ATF_REQUIRE(params_decode(&params) == NULL);
		ATF_CHECK_EQ_MSG(0, script_find(&site.trees, &params, &script),
		    "%s", names[i]);
		ATF_CHECK_EQ(0, access(script.filename, X_OK));
		script_clear(&script);
		params_clear(&params);
		bytes_free(&stream);
		free(path);
		site_refuses(&site, 403, "SCRIPT_FILENAME", "@/treea", NULL);
		trees_clear(&site.trees);
	}
}

/* Everything may be a tree; of two that fit the deeper one is meant. */
ATF_TC_WITHOUT_HEAD(root_and_nested);
ATF_TC_BODY(root_and_nested, tc)
{
	struct site site;

	site_init(&site);
	site_script("tree/sub/a.cgi");
	site_tree(&site, "/=/");
	site_finds(&site, "@/tree/sub/a.cgi", "", "/x", "SCRIPT_FILENAME",
	    "@/tree/sub/a.cgi/x", NULL);
	site_refuses(&site, 404, "SCRIPT_FILENAME", "/no/such/file", NULL);
	site_tree(&site, "@/tree/sub");
	site_tree(&site, "@/tree");
	site_finds(&site, "@/tree/sub/a.cgi", "", "", "SCRIPT_FILENAME",
	    "@/tree/sub/a.cgi", NULL);
	trees_clear(&site.trees);
}

/* What is not there, or is neither a directory nor a file, is no tree. */
ATF_TC_WITHOUT_HEAD(bad_trees);
ATF_TC_BODY(bad_trees, tc)
{
	static const char *const names[] = { "@/none", "/x=@/none", "/dev/null",
		"/x=", "", "/x=relative" };
	struct site site;
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		site_init(&site);
		ATF_CHECK_MSG(site_try_tree(&site, names[i]) != NULL, "%s",
		    names[i]);
		trees_clear(&site.trees);
	}
}

/* A mapped file need not be executable, but readable it must be. */
ATF_TC_WITHOUT_HEAD(interpreters);
ATF_TC_BODY(interpreters, tc)
{
	struct params params;
	struct script script;
	struct site site;
	struct bytes stream = { 0 };

	site_init(&site);
	site_file("tree/a.php", "x", 0644);
	site_file("tree/a.php.txt", "x", 0644);
	site_file("tree/open.php", "x", 0666);
	site_script("tree/dir.php/a.cgi");
	site_tree(&site, "@/tree");
	ATF_REQUIRE(trees_add_interpreter(&site.trees, ".php=/bin/sh") == NULL);
	ATF_REQUIRE(trees_add_interpreter(&site.trees, ".pl=/bin/cat") == NULL);
	bytes_pair(&stream, "SCRIPT_NAME", "/cgi-bin/a.php/x");
	params_init(&params);
	ATF_REQUIRE_EQ(0, params_append(&params, stream.p, stream.len, 1000));
	ATF_REQUIRE(params_decode(&params) == NULL);
	ATF_REQUIRE_EQ(0, script_find(&site.trees, &params, &script));
	ATF_REQUIRE(script.interpreter != NULL);
	ATF_CHECK_STREQ("/bin/sh", script.interpreter);
	ATF_CHECK_STREQ("/x", script.path_info);
	script_clear(&script);
	params_clear(&params);
	bytes_free(&stream);
	site_refuses(&site, 403, "SCRIPT_NAME", "/cgi-bin/a.php.txt", NULL);
	site_refuses(&site, 403, "SCRIPT_NAME", "/cgi-bin/open.php", NULL);
	site_finds(&site, "@/tree/dir.php/a.cgi", "/cgi-bin/dir.php/a.cgi", "",
	    "SCRIPT_NAME", "/cgi-bin/dir.php/a.cgi", NULL);
	trees_clear(&site.trees);
}

/* ".ext=/path/of/a/program", and nothing else. */
ATF_TC_WITHOUT_HEAD(bad_interpreters);
ATF_TC_BODY(bad_interpreters, tc)
{
	static const char *const names[] = { "", ".php", "php=/bin/sh",
		".php=", ".php=sh", ".php=/no/such/program", "=/bin/sh",
		"/x=/bin/sh", ".a/b=/bin/sh", ".=/bin/sh" };
	struct site site;
	size_t i;

	site_init(&site);
	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		ATF_CHECK_MSG(trees_add_interpreter(&site.trees, names[i]) !=
			NULL,
		    "%s", names[i]);
	trees_clear(&site.trees);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, prefix);
	ATF_TP_ADD_TC(tp, divided);
	ATF_TP_ADD_TC(tp, document_root);
	ATF_TP_ADD_TC(tp, longest_prefix);
	ATF_TP_ADD_TC(tp, program);
	ATF_TP_ADD_TC(tp, names_of_trees);
	ATF_TP_ADD_TC(tp, root_and_nested);
	ATF_TP_ADD_TC(tp, bad_trees);
	ATF_TP_ADD_TC(tp, interpreters);
	ATF_TP_ADD_TC(tp, bad_interpreters);
	return atf_no_error();
}
