#!/usr/bin/perl
# Size and checksum of whatever is sent, counted while it arrives:
#
#     curl -NT file http://127.0.0.1:8888/cgi-bin/upload.pl
#
# A script may write before it has read everything: here a line a second.
# nginx without the module passes them on at the end of the upload, with it, and
# other servers, at once.
# Without CONTENT_LENGTH it reads to the end of file.

use strict;
use warnings;
use Digest::SHA;

$| = 1;
if (($ENV{REQUEST_METHOD} // '') !~ /^(POST|PUT)$/) {
	print <<'EOT';
Content-Type: text/html; charset=utf-8

<!DOCTYPE html>
<html lang="en">
<title>Upload</title>
<link rel="stylesheet" href="/style.css">
<h1>Upload</h1>
<form method="post" enctype="multipart/form-data">
<p><input type="file" name="file"> <button>Send</button>
</form>
<p>A browser wraps the file into a form, and the form is what is counted.
With <code>curl -NT file</code> it is the file itself.
EOT
	exit 0;
}

my ($size, $shown) = (0, time);
my $sha = Digest::SHA->new(256);

print "Content-Type: text/plain; charset=utf-8\n\n";
while (my $n = sysread(STDIN, my $buf, 65536)) {
	$sha->add($buf);
	$size += $n;
	if (time > $shown) {
		$shown = time;
		print "$size bytes so far\n";
	}
}

my $want = $ENV{CONTENT_LENGTH};
print "$size bytes, ", $want ? "$want announced" : "length not announced",
    "\nSHA-256 ", $sha->hexdigest, "\n";
