#!/usr/bin/perl
# A plot of what "make bench" found, as SVG on stdout: a panel of bars for each
# row of the table.
#
#	plot.pl bench.json
use strict;
use warnings;
use JSON::PP;

use constant {
	WIDTH => 1120, MARGIN => 20, GAP => 30,    # of the page
	HEAD => 84, TITLE => 34, BAR => 20,        # heights
	NAME => 130, VALUE => 110,                 # beside the bars
};
# Ours, others', and the floor; darker for nginx with the module.
my %colour = (
	module => '#1b5e8c', ours => '#5b9bc8', other => '#b9bec4',
	floor => '#b5432b', text => '#222222', faint => '#666666',
);

die "usage: plot.pl bench.json\n" if @ARGV != 1;
open my $f, '<', $ARGV[0] or die "$ARGV[0]: $!\n";
my $bench = do { local $/; decode_json(<$f>) };
my $column = (WIDTH - 2 * MARGIN - GAP) / 2;
my $room = $column - NAME - VALUE;

sub escaped {
	my %entity = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;');

	return $_[0] =~ s/([&<>])/$entity{$1}/gr;
}

sub number {
	my ($n) = @_;
	my $s = $n >= 100 ? sprintf '%.0f', $n : sprintf '%.3g', $n;

	1 while $s =~ s/^(\d+)(\d{3})/$1,$2/;
	return $s;
}

sub text {
	my ($x, $y, $text, %with) = @_;
	my $colour = $with{colour} // $colour{text};
	my $more = join ' ', map { "$_=\"$with{$_}\"" }
	    grep { $_ ne 'colour' } sort keys %with;

	return sprintf "<text x=\"%.1f\" y=\"%.1f\" fill=\"%s\" %s>%s</text>\n",
	    $x, $y, $colour, $more, escaped($text);
}

# Text that can be read on whatever is below it.
use constant HALO => (
	'paint-order' => 'stroke', stroke => '#ffffff', 'stroke-width' => 4,
	'stroke-linejoin' => 'round'
);

sub rectangle {
	my ($x, $y, $width, $height, $colour) = @_;

	return sprintf '<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" '
	    . "fill=\"%s\"/>\n", $x, $y, $width, $height, $colour;
}

# What stands at a bar's end, or in its place.
sub value {
	my ($m) = @_;
	my $failed = $m->{asked} ? ($m->{failed} // 0) / $m->{asked} : 0;

	return 'not available' if $m->{unavailable};
	return 'given up' if $m->{hung};
	return sprintf '%.0f %% failed', $failed * 100 if !defined $m->{figure};
	my $text = number($m->{figure}) . ($m->{noisy} ? ' ~' : '');
	$text .= sprintf ', %.0f %% failed', $failed * 100 if $failed >= 0.005;
	return $text;
}

# A bar with its name, and its value, which comes on top of everything.
sub bar {
	my ($m, $x, $y, $most) = @_;
	my $kind = $m->{peer} =~ /^module-gateway$/ ? 'module'
	    : $m->{ours} ? 'ours' : 'other';
	my $length = defined $m->{figure} ? $m->{figure} / $most * $room : 0;

	return text($x + NAME - 8, $y + 14, $m->{peer}, 'text-anchor' => 'end')
	    . rectangle($x + NAME, $y + 3, $length, BAR - 6, $colour{$kind}),
	    text($x + NAME + $length + 5, $y + 14, value($m), HALO);
}

sub floor_line {
	my ($row, $x, $y, $most) = @_;
	my $at = $x + NAME + $row->{floor} / $most * $room;
	my $bottom = $y + BAR * @{ $row->{peers} };

	return sprintf('<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" '
		. 'stroke="%s" stroke-width="1.5" stroke-dasharray="4 3"/>'
		. "\n", $at, $y - 2, $at, $bottom + 2, $colour{floor})
	    . text($at, $y - 5, 'floor ' . number($row->{floor}),
		colour => $colour{floor}, 'text-anchor' => 'middle',
		'font-size' => 10);
}

sub panel_height {
	my ($row) = @_;

	return TITLE + BAR * @{ $row->{peers} } + GAP;
}

sub panel {
	my ($row, $x, $y) = @_;
	my ($most) = sort { $b <=> $a } grep { defined }
	    map { $_->{figure} } @{ $row->{peers} };
	my $title = "$row->{title}, $row->{unit}"
	    . ($row->{better} eq 'less' ? ' (less is better)' : '')
	    . ($row->{noisy} ? ', NOISY' : '');
	my $svg = text($x, $y + 10, $title, 'font-weight' => 'bold');

	$most = $row->{floor} if $row->{floor} && $row->{floor} > ($most // 0);
	$y += TITLE;
	my $values = $row->{floor} ? floor_line($row, $x, $y, $most) : '';
	for my $m (@{ $row->{peers} }) {
		my ($bar, $value) = bar($m, $x, $y, $most || 1);
		$svg .= $bar;
		$values .= $value;
		$y += BAR;
	}
	return $svg . $values;
}

# What the colours mean.
sub legend {
	my $x = MARGIN;
	my $svg = '';

	for (['module', 'afcgi, nginx with the module'],
	    ['ours', 'afcgi, other web servers'], ['other', 'other gateways'],
	    ['floor', 'floor: without HTTP']) {
		my ($kind, $text) = @$_;
		$svg .= rectangle($x, 62, 12, 12, $colour{$kind})
		    . text($x + 18, 72, $text);
		$x += 210;
	}
	return $svg;
}

# Two columns, each panel in the one that is shorter.
my @y = (HEAD + MARGIN) x 2;
my $panels = '';
for my $row (@{ $bench->{rows} }) {
	my $c = $y[0] <= $y[1] ? 0 : 1;
	$panels .= panel($row, MARGIN + $c * ($column + GAP), $y[$c]);
	$y[$c] += panel_height($row);
}
my ($height) = sort { $b <=> $a } @y;
my %machine = map { $_->{name} => $_->{value} } @{ $bench->{machine} };
my $where = join ', ', grep { defined } @machine{qw(date system processor)},
    "$machine{cores} cores", $machine{memory}, "Linux $machine{kernel}";
printf '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
    . 'viewBox="0 0 %1$d %2$d" font-family="sans-serif" font-size="12">' . "\n",
    WIDTH, $height;
print rectangle(0, 0, WIDTH, $height, '#ffffff'),
    text(MARGIN, 30, 'CGI: afcgi and what people run today',
	'font-size' => 18, 'font-weight' => 'bold'),
    text(MARGIN, 50, $where, colour => $colour{faint}),
    legend(), $panels, "</svg>\n";
