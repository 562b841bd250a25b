#!/usr/bin/perl
# Everything a script is told about its request.  Good for looking into a
# new server; not good on a public one, for it tells everybody.

use strict;
use warnings;

sub html {
	my ($s) = @_;
	my %entity = ('&' => 'amp', '<' => 'lt', '>' => 'gt', '"' => 'quot');

	$s =~ s/([&<>"])/&$entity{$1};/g;
	return $s;
}

print <<'EOT';
Content-Type: text/html; charset=utf-8
Cache-Control: no-store

<!DOCTYPE html>
<html lang="en">
<title>Environment</title>
<link rel="stylesheet" href="/style.css">
<h1>Environment</h1>
<table>
EOT
printf "<tr><th>%s<td>%s\n", html($_), html($ENV{$_}) for sort keys %ENV;
printf "</table>\n<p><code>argv</code>: %s\n",
    html(join ' ', map { "'$_'" } $0, @ARGV);
