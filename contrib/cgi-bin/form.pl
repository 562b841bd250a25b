#!/usr/bin/perl
# A form and its answer, in plain Perl.

use strict;
use warnings;

sub html {
	my ($s) = @_;
	my %entity = ('&' => 'amp', '<' => 'lt', '>' => 'gt', '"' => 'quot');

	$s =~ s/([&<>"])/&$entity{$1};/g;
	return $s;
}

# The fields of an application/x-www-form-urlencoded string.
sub fields {
	my %field;

	for my $pair (split /[&;]/, $_[0]) {
		my ($name, $value) = split /=/, $pair, 2;
		for ($name, $value) {
			$_ //= '';
			tr/+/ /;
			s/%([0-9A-Fa-f]{2})/chr hex $1/ge;
		}
		$field{$name} = $value;
	}
	return %field;
}

my $body = '';
if (($ENV{REQUEST_METHOD} // '') eq 'POST') {
	read STDIN, $body, 65536;
}
my %field = fields($body);
my $name = html($field{name} // '');

print <<"EOT";
Content-Type: text/html; charset=utf-8

<!DOCTYPE html>
<html lang="en">
<title>Form</title>
<link rel="stylesheet" href="/style.css">
<h1>@{[$name ne '' ? "Good day, $name" : 'Who is there?']}</h1>
<form method="post">
<p><label>Your name <input name="name" value="$name" autofocus></label>
<button>Send</button>
</form>
EOT
